import Application
import Domain
import Kernel

/// What the admin listener knows of the request in one exchange. One object per exchange, reused.
final class AdminCall {
  /// nil until the path matched.
  var route: AdminRoute?
  var grant: KeyGrant?
  var decision: RateDecision?
  /// A file that arrives with this request; nil again once a job has taken it.
  var upload: PendingUpload?
  /// A row for this request is due when it concludes.
  var isAudited = false

  func reset() {
    route = nil
    grant = nil
    decision = nil
    upload = nil
    isAudited = false
  }
}

/// What one event thread owns.
final class AdminThread {
  var random = TraceContext.Generator()
  var matched: [Int] = []
}

/// A plugin's file on its way in.
///
/// `@unchecked`: the event thread writes it; then the job's queue hands it to the one control thread that ends it.
final class PendingUpload: BodySink, @unchecked Sendable {
  private let upload: any Upload

  init(_ upload: any Upload) { self.upload = upload }

  func write(_ bytes: Span<UInt8>) throws(Problem) { try upload.write(bytes) }
  func finish() throws(Problem) -> String { try upload.finish() }
  func abandon() { upload.abandon() }
}

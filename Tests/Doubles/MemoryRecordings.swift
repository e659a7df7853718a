package import Application
package import Kernel

/// Recordings in memory, by name.
package final class MemoryRecordings: RecordingFiles {
  private let files = Monitor<[String: [UInt8]]>([:])
  /// What a write throws from now on.
  private let failure = Monitor<Problem?>(nil)

  package init() {}

  package func fail(with problem: Problem?) { failure.withLock { $0 = problem } }
  package func text(_ name: String) -> String {
    String(decoding: files.withLock { $0[name] ?? [] }, as: UTF8.self)
  }

  package var names: [String] { files.withLock { $0.keys.sorted() } }

  package func create(_ name: String) throws(Problem) -> any RecordingFile {
    files.withLock { $0[name] = [] }
    return MemoryRecording(self, name)
  }
  package func path(of name: String) throws(Problem) -> String { "/recordings/" + name }

  fileprivate func append(_ bytes: [UInt8], to name: String) throws(Problem) {
    if let problem = failure.withLock({ $0 }) { throw problem }
    files.withLock { $0[name, default: []] += bytes }
  }
}

private final class MemoryRecording: RecordingFile {
  private let files: MemoryRecordings
  private let name: String
  var path: String { "/recordings/" + name }

  init(_ files: MemoryRecordings, _ name: String) {
    self.files = files
    self.name = name
  }

  func write(_ bytes: [UInt8]) throws(Problem) { try files.append(bytes, to: name) }
  func close() throws(Problem) {}
}

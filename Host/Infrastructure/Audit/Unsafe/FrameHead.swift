import Application
import Domain
import Kernel

/// The fixed part of a row on its way to the flusher: 64 bytes, then path, request id, principal and labels (a
/// request), or JSON members (an act of administration).
struct FrameHead: Sendable {
  /// Of the whole frame.
  var count: UInt32 = 0
  var status: UInt16 = 0
  var kind: Kind = .request
  /// An index into ``methods``.
  var method: UInt8 = 0
  /// Microseconds since 1970.
  var time: Int64 = 0
  var duration: Int64 = 0
  var peerHigh: UInt64 = 0
  var peerLow: UInt64 = 0
  /// 12 characters; all zero without a key.
  var key: (UInt64, UInt32) = (0, 0)
  var pathCount: UInt16 = 0
  var requestIDCount: UInt8 = 0
  var principalCount: UInt8 = 0
  var labelsCount: UInt16 = 0
  var isPathCut = false
  var isDryRun = false
  var isReplayed = false
  var jobCount: UInt8 = 0
  /// Above 0, the row is of a job's end: one more than an index into ``jobEnds``.
  var jobEnd: UInt8 = 0
  /// Fills the head up to its size.
  var unused: UInt8 = 0

  enum Kind: UInt8, Sendable { case request, act }

  static let byteCount = 64
  static let methods: [StaticString] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER",
  ]

  static let jobEnds = JobEnd.allCases

  init() { precondition(MemoryLayout<FrameHead>.size == FrameHead.byteCount) }

  /// Appends the head as it lies in memory; ``init(_:)`` reads it back in the same process.
  func append(to arena: Arena) {
    unsafe withUnsafeBytes(of: self) { raw in
      // Safe: a trivial value's bytes, padding included, are read for as long as the call takes.
      let start = unsafe raw.baseAddress!.assumingMemoryBound(to: UInt8.self)
      unsafe arena.append(start, count: FrameHead.byteCount)
    }
  }

  /// What ``append(to:)`` wrote.
  init(_ bytes: Span<UInt8>) {
    precondition(bytes.count >= FrameHead.byteCount)
    // Safe: the bytes are those of a value of this type, put there by this process.
    self = unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: FrameHead.self) }
  }
}

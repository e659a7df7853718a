import Application
import Kernel

/// The writing side of the trail: turns frames into lines, and lines into bytes on disk.
///
/// What is rendered stays in memory until the disk has confirmed it. A write that failed is repeated at the same
/// place of the file, so it can be tried any number of times.
final class Journal: @unchecked Sendable {
  // After `open`, the flusher's thread alone uses it: that is what makes this class Sendable.
  let folder: any AuditFolder
  private let head: HeadFile
  let limits: JournalAuditTrail.Limits
  private var chain: HashChain
  private var writer = RowWriter()
  private var segments: [Segment]
  private var file: (any AuditFile)?
  /// Bytes of the last segment that are on disk.
  private var durableBytes: Int
  /// Of the last rendered row.
  private var seq: Int64
  private let pending = Arena(capacity: 64 << 10)
  /// How much of `pending` the file has been given, not yet durable.
  private var written = 0
  private var isOpeningSegment = false

  /// What is on disk: what readers may look at.
  struct Durable: Sendable {
    var segments: [Segment]
    var lastBytes: Int
    var seq: Int64
    var hash: Digest256
  }

  init(
    _ folder: any AuditFolder, _ head: HeadFile, _ chain: HashChain, limits: JournalAuditTrail.Limits,
    segments: [Segment], seq: Int64, lastBytes: Int
  ) {
    self.folder = folder
    self.head = head
    self.chain = chain
    self.limits = limits
    self.segments = segments
    self.seq = seq
    durableBytes = lastBytes
  }

  var hasPending: Bool { pending.count > 0 }

  /// Renders all frames that `frames` holds, oldest first. Only while nothing is pending.
  func render(_ frames: Arena) {
    precondition(!hasPending)
    var order: [(time: Int64, place: Int)] = []
    var place = 0
    while place < frames.count {
      let head = FrameHead(frames.span(ByteRange(offset: place, count: FrameHead.byteCount)))
      order.append((head.time, place))
      place += Int(head.count)
    }
    guard !order.isEmpty else { return }
    // Equal times keep the order of arrival.
    order.sort { ($0.time, $0.place) < ($1.time, $1.place) }
    // A segment without a row is not followed by another: they would have one name.
    let hasRows = segments.last.map { seq >= $0.first } ?? true
    if hasRows && durableBytes >= limits.segmentBytes { beginSegment(time: order[0].time) }
    for (_, place) in order {
      let count = Int(FrameHead(frames.span(ByteRange(offset: place, count: FrameHead.byteCount))).count)
      seq += 1
      let start = pending.count
      writer.append(frames.span(ByteRange(offset: place, count: count)), seq: seq, to: pending)
      chain.seal(pending, from: start)
      if pending.count - written >= Journal.writeBytes { try? write() }
    }
  }

  /// Rendered lines go to the file while they are in the processor's cache: copying them later costs twice as much.
  private static let writeBytes = 128 << 10
  /// What is kept of a batch's memory; a batch at full load is about 1.5 MiB.
  private static let retainedBytes = 4 << 20

  private func write() throws(AuditFileError) {
    let (file, pending) = (try openLast(), pending)
    let rest = ByteRange(offset: written, count: pending.count - written)
    try file.write(pending.span(rest), at: durableBytes + written)
    written = pending.count
  }

  /// A segment with its header, so that the first start shows whether the folder can be written to.
  func renderFirstSegment(at time: Timestamp) {
    if segments.isEmpty { beginSegment(time: time.microseconds) }
  }

  private func beginSegment(time: Int64) {
    let segment = Segment(first: seq + 1)
    Segment.appendHeader(first: segment.first, time: Timestamp(microseconds: time), &chain, to: pending)
    segments.append(segment)
    isOpeningSegment = true
    durableBytes = 0
    file = nil
  }

  /// Returns when everything rendered is on disk. After an error nothing is lost: call again.
  func commit() throws(AuditFileError) -> Durable {
    let file = try openLast()
    do throws(AuditFileError) {
      try write()
      try file.sync()
    } catch {
      // Nobody can say what the disk kept: all of it is written again.
      written = 0
      throw error
    }
    if isOpeningSegment {
      try folder.sync()
      isOpeningSegment = false
    }
    // Not synced: after a crash it is older than the rows at worst, never newer.
    try head.write(Head(first: segments[0].first, seq: seq, hash: chain.last))
    durableBytes += pending.count
    written = 0
    // Under load the memory stays; a quiet host gives it back.
    pending.removeAll(retaining: pending.count > 256 << 10 ? Journal.retainedBytes : 64 << 10)
    return durable
  }

  var durable: Durable {
    Durable(segments: segments, lastBytes: durableBytes, seq: seq, hash: chain.last)
  }

  /// ``durable`` without the segments beyond the configured number; nil when there are none such.
  var withoutOldest: Durable? {
    guard let keep = limits.keptSegments, segments.count > keep, !hasPending else { return nil }
    var shorter = durable
    shorter.segments.removeFirst(segments.count - keep)
    return shorter
  }

  /// Deletes what `shorter` no longer has. The head says so first: a crash in between leaves files that the next
  /// start deletes.
  func forget(downTo shorter: Durable) throws(AuditFileError) {
    let first = shorter.segments[0].first
    try head.write(Head(first: first, seq: seq, hash: chain.last))
    try head.sync()
    while segments[0].first < first {
      try folder.remove(segments[0].name)
      segments.removeFirst()
    }
  }

  /// The head is made durable too: the next start has nothing to follow.
  func close() throws(AuditFileError) { try head.sync() }

  private func openLast() throws(AuditFileError) -> any AuditFile {
    if let file { return file }
    let opened = try folder.open(segments[segments.count - 1].name, creating: isOpeningSegment)
    file = opened
    return opened
  }
}

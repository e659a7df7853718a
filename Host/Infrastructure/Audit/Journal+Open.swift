import Application
import Kernel

/// What opening a trail found to repair.
package struct AuditRecovery: Sendable, Equatable {
  /// Bytes after the last whole row that were cut off: a write that never was confirmed.
  package var cutBytes = 0
  /// Rows that were on disk after the last head that was kept, and hold.
  package var rowsAfterHead: Int64 = 0

  package init() {}
}

extension Journal {
  /// Finds the end of the trail, cuts off what a crash left half written, and makes a first segment when there is
  /// none. Rows up to the head are not read again: that is what ``JournalAuditTrail/verify()`` is for.
  ///
  /// `key` is for a folder that keeps none of its own.
  ///
  /// Throws `audit.broken` (409) when rows that were confirmed are missing or changed, `audit.key_missing` (500),
  /// `audit.unavailable` (503).
  static func open(
    _ folder: any AuditFolder, _ digests: any Digests, limits: JournalAuditTrail.Limits, now: Timestamp,
    key: [UInt8]? = nil
  ) throws(Problem) -> (journal: Journal, key: [UInt8], recovery: AuditRecovery) {
    do {
      return try openFiles(folder, digests, limits, now, key)
    } catch {
      switch error {
      case .file(let error): throw JournalAuditTrail.unavailable(error)
      case .problem(let problem): throw problem
      }
    }
  }

  private enum OpenError: Error {
    case file(AuditFileError)
    case problem(Problem)

    static func fault(_ seq: Int64, _ reason: String) -> OpenError {
      .problem(JournalAuditTrail.broken(ChainFault(seq: seq, reason: reason)))
    }
  }

  private static func openFiles(
    _ folder: any AuditFolder, _ digests: any Digests, _ limits: JournalAuditTrail.Limits, _ now: Timestamp,
    _ given: [UInt8]?
  ) throws(OpenError) -> (journal: Journal, key: [UInt8], recovery: AuditRecovery) {
    var segments = try disk { () throws(AuditFileError) in try Segment.list(folder) }
    let key = if let given { given } else { try self.key(folder, isNew: segments.isEmpty) }
    let head = try disk { () throws(AuditFileError) in try HeadFile(folder, digests, key: key) }
    let last = try disk { () throws(AuditFileError) in try head.read() }
    let isHeadEmpty = try disk { () throws(AuditFileError) in try head.isEmpty }
    if last == nil && !isHeadEmpty { throw .fault(0, "the file head was changed") }
    if let last {
      try forget(&segments, before: last.first, folder)
      guard segments.first?.first == last.first else {
        throw .fault(last.first, "the oldest rows are missing")
      }
    }
    let walk = ChainWalk(folder, digests.hmacSHA256Stream(key: key.span))
    var recovery = AuditRecovery()
    let (end, bytes) = try follow(&segments, walk, from: last, &recovery)
    // A trail has its head before its first row.
    if last == nil, end.seq > 0 { throw .fault(1, "the file head is missing") }
    if let last, end.seq < last.seq { throw .fault(end.seq + 1, "rows up to \(last.seq) are missing") }
    let journal = Journal(
      folder, head, end.chain, limits: limits, segments: segments, seq: end.seq, lastBytes: bytes)
    journal.renderFirstSegment(at: now)
    // A head that lags behind, or none, is brought up to date: from here on it is never older than a batch.
    _ = try disk { () throws(AuditFileError) in try journal.commit() }
    return (journal, key, recovery)
  }

  private static func disk<Result>(_ body: () throws(AuditFileError) -> Result) throws(OpenError) -> Result {
    do { return try body() } catch { throw .file(error) }
  }

  /// Deletes segments that the head no longer counts: a crash came before they could be deleted.
  private static func forget(
    _ segments: inout [Segment], before first: Int64, _ folder: any AuditFolder
  ) throws(OpenError) {
    while let oldest = segments.first, oldest.first < first {
      try disk { () throws(AuditFileError) in try folder.remove(oldest.name) }
      segments.removeFirst()
    }
  }

  /// Follows the rows after the head to the end of the trail; returns the bytes of the last segment that hold.
  private static func follow(
    _ segments: inout [Segment], _ start: ChainWalk, from head: Head?, _ recovery: inout AuditRecovery
  ) throws(OpenError) -> (ChainWalk, Int) {
    var walk = start
    var bytes = 0
    // The segment that holds the head's row; its header alone when no row is in it yet.
    var index = 0
    if let head {
      index = max(0, (segments.firstIndex { $0.first > max(head.seq, 1) } ?? segments.count) - 1)
    }
    while index < segments.count {
      let segment = segments[index]
      let stop: ChainWalk.Stop
      if let head, head.seq >= segment.first, walk.seq == 0 {
        stop = try resume(&walk, segment, head)
      } else {
        stop = try disk { () throws(AuditFileError) in try walk.follow(segment, to: nil) }
      }
      bytes = stop.offset
      if let fault = stop.fault {
        // Only the end can be a write that never was confirmed.
        guard index == segments.count - 1, head.map({ walk.seq >= $0.seq }) ?? true else {
          throw .problem(JournalAuditTrail.broken(fault))
        }
        recovery.cutBytes = try cut(walk.folder, segment, to: bytes)
        if bytes == 0 { segments.removeLast() }
        break
      }
      index += 1
    }
    recovery.rowsAfterHead = walk.rows
    if bytes == 0, let last = segments.last {
      bytes = try disk { () throws(AuditFileError) in try walk.folder.open(last.name, creating: false).size }
    }
    return (walk, bytes)
  }

  private static func resume(
    _ walk: inout ChainWalk, _ segment: Segment, _ head: Head
  ) throws(OpenError) -> ChainWalk.Stop {
    do throws(AuditFileError) {
      let file = try walk.folder.open(segment.name, creating: false)
      let size = try file.size
      var lines = LineReader(file, from: try Segment.seek(head.seq, in: file, to: size), to: size)
      guard try lines.next(), Segment.seq(of: lines.bytes) == head.seq,
        HashChain.hash(of: lines.bytes) == head.hash
      else {
        let fault = ChainFault(seq: head.seq, reason: "the last confirmed row is missing or was changed")
        return ChainWalk.Stop(offset: 0, fault: fault)
      }
      walk.resume(after: head.seq, hash: head.hash)
      return try walk.follow(&lines)
    } catch {
      throw .file(error)
    }
  }

  private static func cut(
    _ folder: any AuditFolder, _ segment: Segment, to bytes: Int
  ) throws(OpenError) -> Int {
    do throws(AuditFileError) {
      let file = try folder.open(segment.name, creating: false)
      let lost = try file.size - bytes
      if bytes == 0 {
        try folder.remove(segment.name)
      } else {
        try file.truncate(to: bytes)
        try file.sync()
      }
      return lost
    } catch {
      throw .file(error)
    }
  }

  /// Reads the trail's key, or makes it for a trail that is new.
  private static func key(_ folder: any AuditFolder, isNew: Bool) throws(OpenError) -> [UInt8] {
    let known = try disk { () throws(AuditFileError) in try readKey(folder) }
    if let known { return known }
    guard isNew else {
      throw .problem(
        Problem(
          500, "audit.key_missing",
          "the audit folder holds rows but no usable file key: restore it, or move the folder aside"))
    }
    let key = randomBytes(32)
    try disk { () throws(AuditFileError) in
      let file = try folder.open("key", creating: true)
      try file.write("\(Hex.encode(key))\n".utf8.span, at: 0)
      try file.sync()
      try folder.sync()
    }
    return key
  }

  private static func readKey(_ folder: any AuditFolder) throws(AuditFileError) -> [UInt8]? {
    guard try folder.names().contains("key") else { return nil }
    let text = Arena(capacity: 128)
    _ = try folder.open("key", creating: false).read(128, at: 0, into: text)
    let key = Hex.decode(String(text.span(text.all)).prefix(64))
    return key?.count == 32 ? key : nil
  }
}

package import Application
package import Kernel

extension JournalAuditTrail {
  /// At most `maxRead` rows that are on disk. Finds the place by the segments' names and a few reads in one file.
  package func read(after: Int64, limit: Int) throws(Problem) -> [JSONValue] {
    let wanted = min(max(0, limit), limits.maxRead)
    guard wanted > 0 else { return [] }
    let rows: [JSONValue]?
    do {
      rows = try withDurable { durable throws(AuditFileError) in
        try self.rows(from: after < .max ? max(1, after + 1) : .max, wanted, durable)
      }
    } catch {
      throw JournalAuditTrail.unavailable(error)
    }
    guard let rows else { throw JournalAuditTrail.handedOver }
    return rows
  }

  package func wait(forRowAfter after: Int64, until deadline: Instant) -> Bool {
    waitDurable(until: deadline) { $0.seq > after }
  }

  package var lastSequence: Int64 { durableNow.seq }

  private func rows(
    from first: Int64, _ wanted: Int, _ durable: Journal.Durable
  ) throws(AuditFileError) -> [JSONValue] {
    var rows: [JSONValue] = []
    let start = (durable.segments.firstIndex { $0.first > first } ?? durable.segments.count) - 1
    for index in max(0, start)..<durable.segments.count where rows.count < wanted {
      let file = try folder.open(durable.segments[index].name, creating: false)
      let end = index == durable.segments.count - 1 ? durable.lastBytes : try file.size
      var lines = LineReader(file, from: try Segment.seek(first, in: file, to: end), to: end)
      while rows.count < wanted, try lines.next() {
        // A line that is no row is for `verify` to report.
        if Segment.seq(of: lines.bytes) == nil { continue }
        if let row = try? JSONValue.parse(lines.bytes) { rows.append(row) }
      }
    }
    return rows
  }

  package func verify() throws(Problem) -> AuditVerification {
    let result: (rows: Int64, hash: Digest256, fault: ChainFault?)?
    do {
      // Listed first: an aside that is taken in from here on has its row in what is walked, or its folder in this list.
      let asides = try folder.names()
      result = try withDurable { durable throws(AuditFileError) in try walk(durable, asides) }
    } catch {
      throw JournalAuditTrail.unavailable(error)
    }
    guard let result else { throw JournalAuditTrail.handedOver }
    if let fault = result.fault { throw JournalAuditTrail.broken(fault) }
    return AuditVerification(rows: result.rows, lastHash: result.hash.hex)
  }

  private func walk(
    _ durable: Journal.Durable, _ asides: [String]
  ) throws(AuditFileError) -> (rows: Int64, hash: Digest256, fault: ChainFault?) {
    let key = key
    var walk = ChainWalk(folder, digests.hmacSHA256Stream(key: key.span))
    for (index, segment) in durable.segments.enumerated() {
      let isLast = index == durable.segments.count - 1
      let stop: ChainWalk.Stop
      do throws(AuditFileError) {
        stop = try walk.follow(segment, to: isLast ? durable.lastBytes : nil)
      } catch {
        guard error.operation == "open" else { throw error }
        let fault = ChainFault(seq: segment.first, reason: "\(segment.name) is missing")
        return (walk.rows, walk.chain.last, fault)
      }
      if let fault = stop.fault { return (walk.rows, walk.chain.last, fault) }
    }
    guard walk.seq == durable.seq, walk.chain.last == durable.hash else {
      let fault = ChainFault(seq: walk.seq + 1, reason: "rows up to \(durable.seq) are missing")
      return (walk.rows, walk.chain.last, fault)
    }
    let there = try asides + folder.names()
    if let lost = walk.openAsides.sorted().first(where: { !there.contains($0) }) {
      let fault = ChainFault(seq: walk.seq, reason: "rows that were set aside in \(lost) are missing")
      return (walk.rows, walk.chain.last, fault)
    }
    return (walk.rows, walk.chain.last, nil)
  }
}

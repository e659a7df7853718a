import Application
import Kernel

/// Rows that a host wrote while another one had the trail: a small trail of its own in a folder `aside-…` below it.
///
/// A trail has one writer. When a host hands over, its row `audit.aside` names the folder, and what it still answers
/// goes there; when it is gone, the host that has the trail verifies those rows and takes them in, with a row
/// `audit.absorbed`. So there is one chain, nothing forks, and ``JournalAuditTrail/verify()`` misses an aside that
/// vanished. Rows that were taken in keep their time and say where they stood (`"aside":"<name>#<seq>"`): a crash
/// while they are taken in may repeat some, never lose one.
enum Aside {
  static let prefix = "aside-"
  /// Before the name of one that was taken in, while its files go.
  static let gone = "gone-"
  static let began = "audit.aside"
  static let absorbed = "audit.absorbed"
  static let broken = "audit.aside_broken"
  /// Bytes of frames that one commit takes.
  static let batch = 1 << 20

  /// An aside's chain is made with a key that only who has the trail's key can know: else anybody who can make a folder
  /// could have rows of his own taken in.
  static func key(_ name: String, _ trail: [UInt8], _ digests: any Digests) -> [UInt8] {
    digests.hmacSHA256(key: trail.span, name.utf8.span).withSpan { [UInt8]($0) }
  }

  static func frame(_ action: String, _ name: String, _ details: [String: JSONValue] = [:]) -> Arena {
    let frame = Arena()
    Frames.encode(
      AdminAct(
        time: .now, principal: "", key: "", action: action, target: name, status: 200, requestID: "",
        details: details), to: frame)
    return frame
  }

  /// A row of an aside as a frame of the trail; nil for a line that is no row.
  static func frame(of line: Span<UInt8>, _ name: String) -> Arena? {
    guard line.count > HashChain.sealCount, let seq = Segment.seq(of: line),
      let value = try? JSONValue.parse(line), let time = value["time"]?.string.flatMap(Timestamp.init(text:))
    else { return nil }
    // `{"seq":12,"time":"2026-01-01T00:00:00.000Z"` is written anew; what follows is taken as it is.
    let start = "{\"seq\":\(seq),\"time\":\"".utf8.count + time.text.utf8.count + 1
    let end = line.count - HashChain.sealCount
    guard start <= end else { return nil }
    var head = FrameHead()
    head.kind = .act
    head.time = time.microseconds
    let frame = Arena()
    head.append(to: frame)
    frame.append(line.extracting(start..<end))
    frame.append(",\"aside\":\"\(name)#\(seq)\"")
    let count = UInt32(frame.count)
    for byte in 0..<4 { frame[byte] = UInt8(truncatingIfNeeded: count >> UInt32(8 * byte)) }
    return frame
  }

  /// What a row says of asides: the action and the folder. Nearly every row is told by a glance that it says nothing.
  static func mention(in line: Span<UInt8>) -> (action: String, name: String)? {
    var place = 7
    while place < line.count, line[place] != UInt8(ascii: ",") { place += 1 }
    place += ",\"time\":\"2026-01-01T00:00:00.000Z\"".utf8.count
    let mark: StaticString = ",\"action\":\"audit.a"
    guard place + mark.utf8CodeUnitCount <= line.count,
      line.extracting(place..<place + mark.utf8CodeUnitCount).isEqual(to: mark),
      let value = try? JSONValue.parse(line), let action = value["action"]?.string,
      let name = value["target"]?.string, name.hasPrefix(prefix)
    else { return nil }
    return (action, name)
  }
}

extension Journal {
  /// Takes in every aside whose host is gone. Returns how many rows came; throws when the disk fails: what was not taken
  /// in stays where it is. `publish` is told what is on disk before the files of an aside go.
  func absorb(
    _ digests: any Digests, _ key: [UInt8], _ log: any LogSink, _ publish: (Durable) -> Void
  ) throws(AuditFileError) -> Int {
    for name in try folder.names() where name.hasPrefix(Aside.gone) { try folder.removeAside(name) }
    var rows = 0
    for name in try folder.names() where name.hasPrefix(Aside.prefix) {
      let aside = try folder.aside(name, creating: false)
      guard try aside.lock() else { continue }
      rows += try absorb(name, aside, digests, Aside.key(name, key, digests), log, publish)
    }
    return rows
  }

  private func absorb(
    _ name: String, _ aside: any AuditFolder, _ digests: any Digests, _ key: [UInt8], _ log: any LogSink,
    _ publish: (Durable) -> Void
  ) throws(AuditFileError) -> Int {
    var fault: Problem?
    let opened: Journal
    do throws(Problem) {
      opened = try Journal.open(aside, digests, limits: limits, now: .now, key: key).journal
    } catch {
      log.log(
        .critical, "audit", "an aside of the audit trail does not hold: \(error.detail)",
        ["aside": .string(name)])
      return try refuse(name, error, publish)
    }
    var walk = ChainWalk(aside, digests.hmacSHA256Stream(key: key.span))
    let frames = Arena(capacity: 64 << 10)
    var rows = 0
    for segment in opened.durable.segments {
      let stop = try walk.follow(segment, to: nil)
      if let found = stop.fault { fault = fault ?? JournalAuditTrail.broken(found) }
      let file = try aside.open(segment.name, creating: false)
      var lines = LineReader(file, to: stop.offset)
      while try lines.next() {
        guard let frame = Aside.frame(of: lines.bytes, name) else { continue }
        frames.append(frame.span(frame.all))
        rows += 1
        if frames.count > Aside.batch { try take(frames) }
      }
      if fault != nil { break }
    }
    try take(frames)
    if let fault {
      log.log(
        .critical, "audit", "an aside of the audit trail does not hold: \(fault.detail)",
        ["aside": .string(name)])
      return try refuse(name, fault, publish)
    }
    try take(
      Aside.frame(
        Aside.absorbed, name,
        ["rows": .integer(Int64(rows)), "last_hash": .string(walk.chain.last.hex)]))
    publish(durable)
    try folder.removeAside(name)
    return rows
  }

  /// The trail says that an aside was touched; its files stay to be looked at.
  private func refuse(
    _ name: String, _ problem: Problem, _ publish: (Durable) -> Void
  ) throws(AuditFileError) -> Int {
    try take(Aside.frame(Aside.broken, name, ["reason": .string(problem.detail)]))
    publish(durable)
    try folder.keepBrokenAside(name)
    return 0
  }

  private func take(_ frames: Arena) throws(AuditFileError) {
    guard frames.count > 0 else { return }
    if hasPending { _ = try commit() }
    render(frames)
    frames.removeAll(retaining: 64 << 10)
    if hasPending { _ = try commit() }
  }
}

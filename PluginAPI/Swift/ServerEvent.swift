/// One event of a stream, in the form of the HTML standard, section 9.2 (server-sent events).
public struct ServerEvent: Sendable, Equatable {
  /// The event's name; empty: `message`.
  public var event: String
  /// Any text; clients get its line breaks as LF.
  public var data: String
  /// What a client that lost the stream sends as `Last-Event-ID`; nil leaves the last one.
  public var id: String?

  public init(event: String = "", data: String, id: String? = nil) {
    self.event = event
    self.data = data
    self.id = id
  }

  public init(event: String = "", data: JSON, id: String? = nil) {
    self.init(event: event, data: String(decoding: data.bytes, as: UTF8.self), id: id)
  }

  /// A value as JSON.
  @_disfavoredOverload
  public init(event: String = "", data: some Encodable, id: String? = nil) throws {
    self.init(event: event, data: String(decoding: try JSONCoding.encode(data), as: UTF8.self), id: id)
  }

  /// As it is sent. A line break in a name would begin a line of its own, and a NUL in an id has the client ignore it.
  func bytes() throws -> [UInt8] {
    guard !event.utf8.contains(where: ServerEvent.isBreak),
      id?.utf8.contains(where: { ServerEvent.isBreak($0) || $0 == 0 }) != true
    else {
      throw ProblemError(500, "plugin.event_invalid", "An event's name or id holds a line break.")
    }
    var out: [UInt8] = []
    out.reserveCapacity(data.utf8.count + event.utf8.count + 32)
    if let id { ServerEvent.line("id: ", id.utf8, to: &out) }
    if !event.isEmpty { ServerEvent.line("event: ", event.utf8, to: &out) }
    for line in ServerEvent.lines(of: data) { ServerEvent.line("data: ", line, to: &out) }
    out.append(UInt8(ascii: "\n"))
    return out
  }

  static func bytes(retry: Duration) -> [UInt8] {
    let (seconds, attoseconds) = retry.components
    return Array("retry: \(max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000))\n\n".utf8)
  }

  static func bytes(comment: String) -> [UInt8] {
    var out: [UInt8] = []
    for line in lines(of: comment) { self.line(": ", line, to: &out) }
    out.append(UInt8(ascii: "\n"))
    return out
  }

  private static func line(_ name: String, _ text: some Sequence<UInt8>, to out: inout [UInt8]) {
    out.append(contentsOf: name.utf8)
    out.append(contentsOf: text)
    out.append(UInt8(ascii: "\n"))
  }

  private static func isBreak(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }

  /// CR LF, LF and CR end a line; at least one.
  private static func lines(of text: String) -> [[UInt8]] {
    var lines: [[UInt8]] = [[]]
    var wasReturn = false
    for byte in text.utf8 {
      if isBreak(byte) {
        if !(byte == UInt8(ascii: "\n") && wasReturn) { lines.append([]) }
      } else {
        lines[lines.count - 1].append(byte)
      }
      wasReturn = byte == UInt8(ascii: "\r")
    }
    return lines
  }
}

package import Domain
package import Kernel

/// A recording as it is read: who was recorded, and the calls in order.
package struct RecordedCalls: Sendable {
  package static let format = "council.recording/1"
  package static let maxBytes = 1 << 30

  package struct Call: Sendable {
    /// The line of the file.
    package var line: Int
    package var method: HTTPMethod
    /// The path and the query.
    package var target: String
    package var headers: [(name: String, value: String)]
    package var body: JSONValue?

    /// Whether a repetition changes nothing.
    package var isReadOnly: Bool { [.get, .head, .options].contains(method) }
  }

  package var automation: String
  package var generation: Int
  package var version: String
  package var sha256: String
  /// Below the home folder: the file that was recorded.
  package var plugin: String
  /// Where the code ran that was recorded.
  package var isolation: Isolation
  package var calls: [Call] = []

  /// Throws `replay.recording_invalid` (422) with the line that is none.
  package init(_ bytes: [UInt8]) throws(Problem) {
    // A host that was killed leaves a line without its end.
    let whole = bytes.lastIndex(of: UInt8(ascii: "\n")).map { bytes[..<$0] } ?? []
    var lines = whole.split(separator: UInt8(ascii: "\n")).makeIterator()
    guard let first = lines.next(), let header = try? JSONValue.parse(first.span),
      header["format"]?.string == RecordedCalls.format, let automation = header["automation"]?.string,
      Names.isAutomation(automation)
    else { throw RecordedCalls.invalid(1, "is not the head of a \(RecordedCalls.format)") }
    self.automation = automation
    generation = Int(header["generation"]?.integer ?? 0)
    version = header["version"]?.string ?? ""
    sha256 = header["sha256"]?.string ?? ""
    plugin = header["plugin"]?.string ?? ""
    isolation = header["isolation"]?.string.flatMap { Isolation($0) } ?? .inProcess
    var number = 1
    while let line = lines.next() {
      number += 1
      calls.append(try RecordedCalls.call(line, number))
    }
  }

  private static func call(
    _ line: ArraySlice<UInt8>, _ number: Int
  ) throws(Problem) -> Call {
    guard let value = try? JSONValue.parse(line.span), let name = value["method"]?.string,
      let method = HTTPMethod(rawValue: name), let path = value["path"]?.string, path.hasPrefix("/")
    else { throw invalid(number, "is no call") }
    var target = sendable(path)
    for (index, field) in (value["query"]?.array ?? []).enumerated() {
      guard let pair = field.array, pair.count == 2, let name = pair[0].string, let text = pair[1].string
      else { throw invalid(number, "has a query that is none") }
      target +=
        "\(index == 0 ? "?" : "&")\(PercentEncoding.component(name))=\(PercentEncoding.component(text))"
    }
    let headers = (value["headers"]?.object ?? [:]).sorted { $0.key < $1.key }.compactMap { name, value in
      value.string.map { (name: name, value: $0) }
    }
    // A file that somebody edited cannot bring a key in, or break out of a header.
    guard
      headers.allSatisfy({ header in
        !RecordingOptions.secretHeaders.contains(header.name)
          && (header.name + header.value).utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
      })
    else { throw invalid(number, "has a header that is not sent") }
    return Call(line: number, method: method, target: target, headers: headers, body: value["body"])
  }

  /// A path is sent as it came, but for what would make another request of it: a space, a line's end.
  private static func sendable(_ path: String) -> String {
    var bytes: [UInt8] = []
    for byte in path.utf8 {
      if byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "?"), byte != UInt8(ascii: "#") {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), Hex.digit(byte >> 4), Hex.digit(byte & 15)]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func invalid(_ line: Int, _ why: String) -> Problem {
    Problem(
      422, "replay.recording_invalid", "Line \(line) of the recording \(why).",
      members: ["line": .integer(Int64(line))])
  }
}

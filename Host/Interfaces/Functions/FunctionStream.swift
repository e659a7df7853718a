import Application
import Kernel

/// Makes of the stream of a route the one answer that a model can read: `{"ok":true,"status":200,"result":{"events":[…],
/// "truncated":false}}`, or `{"text":…}` where it is no stream of events. It collects as much as the answer may hold, and
/// then has enough.
final class FunctionStream: StreamTranslator, @unchecked Sendable {
  // Everything below is under the lock of the stream, which calls one method at a time.
  private let status: Int
  private let type: String
  private let isEvents: Bool
  /// What is left of the answer's bytes.
  private var room: Int
  private var reader: EventReader
  private let document: JSONDocument
  private let events = Arena(capacity: 1024)
  private let event = Arena(capacity: 256)
  private var text: [UInt8] = []
  private var isFull = false

  /// Of the answer, for what stands around events or text.
  private static let envelopeBytes = 192

  /// `type` is the stream's media type.
  init(status: Int, isEvents: Bool, type: String, maxBytes: Int, depth: Int) {
    self.status = status
    self.isEvents = isEvents
    self.type = type
    room = max(0, maxBytes - FunctionStream.envelopeBytes - type.utf8.count)
    reader = EventReader(maxBytes: room)
    document = JSONDocument(maxDepth: depth)
  }

  private var isOK: Bool { status < 400 }
  var wantsMore: Bool { !isFull }

  func translate(_ bytes: Span<UInt8>, into out: Arena) {
    if isFull { return }
    if isEvents { return reader.read(bytes) { keep($0) } }
    for index in bytes.indices {
      let count = FunctionStream.escaped(bytes[index])
      guard count <= room else {
        isFull = true
        return
      }
      room -= count
      text.append(bytes[index])
    }
  }

  func end(byHost: Bool, into out: Arena) {
    if isEvents, !byHost, !isFull { reader.end { keep($0) } }
    let truncated = byHost || isFull
    out.append("{\"ok\":\(isOK),\"status\":\(status),\"\(isOK ? "result" : "problem")\":")
    if isOK { writeResult(truncated, to: out) } else { writeProblem(to: out) }
    out.append("}")
  }

  // MARK: Collecting

  private func keep(_ one: EventReader.Event) {
    guard !isFull else { return }
    if !isOK {
      // A problem is said in words.
      text += one.data.prefix(max(0, room - text.count))
      text.append(UInt8(ascii: "\n"))
      return
    }
    // Locals, for what is lent must not outlive a place that could change.
    let (event, events) = (event, events)
    event.removeAll()
    event.append(events.count == 0 ? "{" : ",{")
    for (name, value) in [("event", one.name), ("id", one.id)] where !value.isEmpty {
      event.append("\"\(name)\":")
      event.append(jsonString: FunctionStream.repaired(value).utf8.span)
      event.append(",")
    }
    event.append("\"data\":")
    if isJSON(one.data) {
      event.append(one.data)
    } else {
      event.append(jsonString: FunctionStream.repaired(one.data).utf8.span)
    }
    event.append("}")
    guard event.count <= room else {
      isFull = true
      return
    }
    room -= event.count
    events.append(event.span(event.all))
  }

  private func isJSON(_ bytes: [UInt8]) -> Bool {
    do throws(JSONError) { try document.parse(bytes.span) } catch { return false }
    return true
  }

  private static func repaired(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  /// How many bytes of a JSON string a byte becomes at most.
  private static func escaped(_ byte: UInt8) -> Int {
    if byte < 0x20 { return 6 }
    return byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") ? 2 : 1
  }

  // MARK: The answer

  private func writeResult(_ truncated: Bool, to out: Arena) {
    if isEvents {
      let events = events
      out.append("{\"events\":[")
      out.append(events.span(events.all))
      out.append("],\"truncated\":\(truncated)}")
      return
    }
    // A character that was cut is none.
    if truncated {
      while let last = text.last, last & 0xC0 == 0x80 { text.removeLast() }
      if let last = text.last, last >= 0xC0 { text.removeLast() }
    }
    if let words = String(validating: text, as: UTF8.self) {
      out.append("{\"text\":")
      out.append(jsonString: words.utf8.span)
      out.append(",\"truncated\":\(truncated)}")
    } else {
      out.append("null,\"content_type\":")
      out.append(jsonString: type.utf8.span)
      out.append(",\"bytes\":\(text.count)")
    }
  }

  private func writeProblem(to out: Arena) {
    let said = String(decoding: text, as: UTF8.self)
    out.append(
      problem: Problem(
        status, "call.failed",
        said.isEmpty ? "The function answered with status \(status) and said no more." : said))
  }
}

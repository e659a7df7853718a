import Application
import Kernel

/// Turns the stream of a route into that of its call: a progress notification for each event, to who asked for them, and the
/// whole text as the result, as long as an answer of that call may be.
final class ToolStream: StreamTranslator, @unchecked Sendable {
  // Everything below is under the lock of the stream, which calls one method at a time.
  private let opening: [UInt8]
  /// As JSON; nil where nobody wants to hear of progress.
  private let progressToken: String?
  private let isEvents: Bool
  private let isError: Bool
  private var events: EventReader
  private var text: StreamText
  /// The beginning of a character whose end has not come yet.
  private var rest: [UInt8] = []
  private var count = 0

  /// `opening` is the result up to its first member.
  init(
    opening: [UInt8], progressToken: String?, isEvents: Bool, isError: Bool, maxBytes: Int,
    budget: AnswerBudget = AnswerBudget()
  ) {
    self.opening = opening
    self.progressToken = progressToken
    self.isEvents = isEvents
    self.isError = isError
    text = StreamText(maxBytes: maxBytes, budget, keepsPieces: isEvents)
    events = EventReader(maxBytes: maxBytes)
  }

  func translate(_ bytes: Span<UInt8>, into out: Arena) {
    guard isEvents else {
      let all = rest + Array(bytes)
      let whole = all.count - ToolStream.unfinished(all)
      rest = Array(all[whole...])
      if keep(all[..<whole]) { tell("\(text.bytes.count) bytes", out) }
      return
    }
    events.read(bytes) { tell($0, out) }
    // An event that never ends is cut, too.
    if events.isTooLong { text.refuseNext() }
  }

  /// What comes after the cut is nobody's: the stream ends there, and its handler with it.
  var wantsMore: Bool { !text.isCut }

  func end(byHost: Bool, into out: Arena) {
    if isEvents, !byHost { events.end { tell($0, out) } }
    if !isEvents { _ = keep(rest[...]) }
    let result = Arena(capacity: text.bytes.count + 256)
    result.append(opening)
    result.append("\"content\":[")
    ToolResult.writeText(String(decoding: text.bytes, as: UTF8.self), to: result)
    if let cut = text.note { note(cut, to: result) }
    if byHost, !text.isCut { note("The host ended the answer before it was complete.", to: result) }
    result.append("]")
    if isError || byHost && !text.isCut { result.append(",\"isError\":true") }
    result.append("}}")
    append(result, to: out)
  }

  private func tell(_ event: EventReader.Event, _ out: Arena) {
    let data = String(decoding: event.data, as: UTF8.self)
    if text.add(Array(data.utf8) + [UInt8(ascii: "\n")]) { tell(data, out) }
  }

  /// False: there was nothing, or there is no more room.
  private func keep(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.isEmpty && text.add(Array(String(decoding: bytes, as: UTF8.self).utf8))
  }

  /// How many bytes at the end may be the beginning of a character.
  private static func unfinished(_ bytes: [UInt8]) -> Int {
    guard let start = bytes.suffix(3).lastIndex(where: { $0 & 0xC0 != 0x80 }) else { return 0 }
    let wanted =
      switch bytes[start] {
      case 0xC2..<0xE0: 2
      case 0xE0..<0xF0: 3
      case 0xF0..<0xF5: 4
      default: 1
      }
    let count = bytes.count - start
    return count < wanted ? count : 0
  }

  private func tell(_ message: String, _ out: Arena) {
    guard let progressToken else { return }
    count += 1
    let notification = Arena(capacity: 256)
    notification.append(
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\(progressToken),\"progress\":\(count),\"message\":"
    )
    notification.append(jsonString: message.utf8.span)
    notification.append("}}")
    append(notification, to: out)
  }

  private func note(_ text: String, to result: Arena) {
    result.append(",")
    ToolResult.writeText(text, to: result)
  }

  private func append(_ json: Arena, to out: Arena) {
    out.append("event: message\ndata: ")
    out.append(json.span(json.all))
    out.append("\n\n")
  }
}

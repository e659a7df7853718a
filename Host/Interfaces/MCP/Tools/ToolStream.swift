import Application
import Kernel

/// Turns the stream of a route into that of its call: a progress notification for each event, to who asked for them, and the
/// whole text as the result.
final class ToolStream: StreamTranslator, @unchecked Sendable {
  // Everything below is under the lock of the stream, which calls one method at a time.
  private let opening: [UInt8]
  /// As JSON; nil where nobody wants to hear of progress.
  private let progressToken: String?
  private let isEvents: Bool
  private let isError: Bool
  private let maxBytes: Int
  private var events: EventReader
  private var text: [UInt8] = []
  private var count = 0
  private var isCut = false

  /// `opening` is the result up to its first member.
  init(opening: [UInt8], progressToken: String?, isEvents: Bool, isError: Bool, maxBytes: Int) {
    self.opening = opening
    self.progressToken = progressToken
    self.isEvents = isEvents
    self.isError = isError
    self.maxBytes = maxBytes
    events = EventReader(maxBytes: maxBytes)
  }

  func translate(_ bytes: Span<UInt8>, into out: Arena) {
    guard isEvents else {
      keep(bytes)
      if bytes.count > 0 { tell("\(text.count) bytes", out) }
      return
    }
    events.read(bytes) { tell($0, out) }
    // An event that never ends is cut, too.
    if events.isTooLong { isCut = true }
  }

  /// What comes after the cut is nobody's: the stream ends there, and its handler with it.
  var wantsMore: Bool { !isCut }

  func end(byHost: Bool, into out: Arena) {
    if isEvents { events.end { tell($0, out) } }
    let result = Arena(capacity: text.count + 256)
    result.append(opening)
    result.append("\"content\":[")
    ToolResult.writeText(String(decoding: text, as: UTF8.self), to: result)
    if isCut { note("The answer is longer: it was cut after \(maxBytes) bytes.", to: result) }
    if byHost, !isCut { note("The host ended the answer before it was complete.", to: result) }
    result.append("]")
    if isError || byHost && !isCut { result.append(",\"isError\":true") }
    result.append("}}")
    append(result, to: out)
  }

  private func tell(_ event: EventReader.Event, _ out: Arena) {
    keep(event.data.span)
    keep([UInt8(ascii: "\n")].span)
    tell(String(decoding: event.data, as: UTF8.self), out)
  }

  private func keep(_ bytes: Span<UInt8>) {
    for index in bytes.indices {
      guard text.count < maxBytes else {
        isCut = true
        return
      }
      text.append(bytes[index])
    }
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

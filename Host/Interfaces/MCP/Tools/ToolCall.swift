import Kernel

/// What the answer to a tool's call has to know of the message that asked for it. One thread at a time.
final class ToolCall {
  /// The message's id, as JSON.
  let id = Arena(capacity: 64)
  private(set) var era = Era.modern

  /// The client can ask its user.
  private(set) var elicits = false

  /// Of a call whose answer may be a stream.
  var progressToken: String?

  func begin(_ era: Era, id message: Arena, elicits: Bool) {
    self.era = era
    self.elicits = elicits
    if progressToken != nil { progressToken = nil }
    id.removeAll(retaining: 1024)
    id.append(message.span(message.all))
  }
}

import Application
import Kernel

/// A client of the era before, which listens with a GET (2025-11-25, basic/transports, "Listening for Messages from the
/// Server"): it hears of every change.
///
/// Nothing is kept for it. Each event's id begins with the name of the lists that it tells of; a client that comes again, to
/// this host or the one that took over, brings it as `Last-Event-ID`, and is told at once what it missed.
struct GetListener: ListenerWords {
  let session: String?
  /// The name of the lists that it heard of last; nil where it comes for the first time.
  let known: String?
  /// Whether it knows events without data, which give an id to come again with.
  let takesPrimers: Bool

  /// Of an id that a client brings; a longer one is none of this host's.
  static let maxIDBytes = 128

  /// Reads what the headers of the GET say.
  init(_ exchange: Exchange, caller: String, takesPrimers: Bool) {
    var (session, known): (String?, String?)
    let head = exchange.head
    for field in exchange.headers where field.value.count <= GetListener.maxIDBytes {
      let name = head.span(field.name)
      if name.isEqual(to: "mcp-session-id") {
        session = "\(caller) \(String(head.span(field.value)))"
      } else if name.isEqual(to: "last-event-id") {
        known = String(head.span(field.value)).split(separator: ".").first.map(String.init)
      }
    }
    self.session = session
    self.known = known
    self.takesPrimers = takesPrimers
  }

  func opening(_ lists: Lists, id: String) -> String {
    // A client that came before and may have missed something cannot know whether there were resources.
    if let known, known != lists.name { return news(lists, id: id).joined() }
    return takesPrimers ? "id: \(lists.name).\(id)\ndata:\n\n" : ": listening\n\n"
  }

  func news(_ lists: Lists, id: String) -> [String] {
    var methods = ["tools"]
    if lists.hasResources { methods.append("resources") }
    return methods.enumerated().map { number, list in
      "id: \(lists.name).\(id).\(number)\n"
        + ListenRequest.event("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/\(list)/list_changed\"}")
    }
  }
}

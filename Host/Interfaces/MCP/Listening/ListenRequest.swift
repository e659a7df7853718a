import Application
import Kernel

/// What one client listens for with `subscriptions/listen`, and what it is told, as events of its stream.
struct ListenRequest: ListenerWords {
  /// The id of its request, as JSON: it marks every message of the stream.
  let id: String
  let tools: Bool
  let resources: Bool

  /// Reads the filter of `subscriptions/listen`; what this host has no news of is left out.
  init(
    _ root: borrowing JSONElement, _ parameters: Parameters, id: String
  ) throws(RPCFault) {
    guard parameters.notifications > 0, root.value(at: parameters.notifications).kind == .object else {
      throw .parameters("params.notifications must be an object.")
    }
    let filter = root.value(at: parameters.notifications)
    self.id = id
    tools = filter.member("toolsListChanged".utf8.span)?.kind == .bool(true)
    resources = filter.member("resourcesListChanged".utf8.span)?.kind == .bool(true)
  }

  /// Each request listens for itself, and its messages say for which.
  var session: String? { nil }

  func opening(_ lists: Lists, id: String) -> String {
    var honoured: [String] = []
    if tools { honoured.append("\"toolsListChanged\":true") }
    if resources { honoured.append("\"resourcesListChanged\":true") }
    return notification(
      "subscriptions/acknowledged", ",\"notifications\":{\(honoured.joined(separator: ","))}")
  }

  func news(_ lists: Lists, id: String) -> [String] {
    var news: [String] = []
    if tools { news.append(notification("tools/list_changed")) }
    if resources { news.append(notification("resources/list_changed")) }
    return news
  }

  /// The answer to the request itself: the host ends the stream, and the client may come again.
  var end: String {
    ListenRequest.event(
      "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":{\"resultType\":\"complete\",\(meta)}}")
  }

  private var meta: String { "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\(id)}" }

  private func notification(_ method: String, _ more: String = "") -> String {
    ListenRequest.event(
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/\(method)\",\"params\":{\(meta)\(more)}}")
  }

  /// JSON has no line ends of its own.
  static func event(_ json: String) -> String { "event: message\ndata: \(json)\n\n" }
}

/// Passes everything on, and answers the request when the stream ends.
final class ListenTranslator: StreamTranslator {
  private let request: ListenRequest

  init(_ request: ListenRequest) { self.request = request }

  func translate(_ bytes: Span<UInt8>, into out: Arena) { out.append(bytes) }
  func end(byHost: Bool, into out: Arena) { out.append(request.end) }
}

import Application
import Kernel

/// Whose pages may call from a browser. A page that a name in its own power leads to this host (DNS rebinding) has an Origin
/// that nobody allowed; whoever is no page sends none.
struct AllowedOrigins: Sendable {
  private let all: [String]
  private let takesAll: Bool

  init(_ origins: [String]) {
    all = origins
    takesAll = origins.contains("*")
  }

  static let refusal = Problem(
    403, "request.origin_refused",
    "Pages of this Origin may not call. An admin can allow it by the setting mcp.origins.")

  func allow(_ exchange: Exchange) -> Bool {
    guard exchange.has(.origin) else { return true }
    guard exchange.knownCount[KnownHeader.origin.rawValue] == 1 else { return false }
    if takesAll { return true }
    let head = exchange.head
    for origin in all where head.span(exchange[.origin]).isEqual(to: origin.utf8.span) { return true }
    return false
  }

  /// Lets the page read the answer (Fetch, CORS protocol).
  func mark(_ exchange: Exchange) {
    guard exchange.has(.origin), !all.isEmpty, allow(exchange) else { return }
    let head = exchange.head
    exchange.addHeader("Access-Control-Allow-Origin", head.span(exchange[.origin]))
    exchange.addHeader(
      "Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, X-Request-Id, Mcp-Session-Id")
    exchange.addHeader("Vary", "Origin")
  }

  /// What a browser asks before it lets a page call.
  func answerPreflight(_ exchange: Exchange) {
    exchange.status = 204
    exchange.addHeader("Allow", "GET, POST, OPTIONS")
    guard exchange.has(.origin), allow(exchange) else { return }
    mark(exchange)
    exchange.addHeader("Access-Control-Allow-Methods", "GET, POST")
    exchange.addHeader(
      "Access-Control-Allow-Headers",
      "Authorization, X-API-Key, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, "
        + "Mcp-Session-Id, Last-Event-ID")
    exchange.addHeader("Access-Control-Max-Age", "600")
  }
}

import Application
import Domain
import Kernel

// What the host itself answers on the public listener.

extension Gateway {
  /// Answers a path of the host's own; false when it is none.
  func answerOwn(_ exchange: Exchange, _ call: Call) -> Bool {
    let head = exchange.head
    guard exchange.segments.count == 2, head.span(exchange.segments[0]).isEqual(to: "health") else {
      return false
    }
    let isLive = head.span(exchange.segments[1]).isEqual(to: "live")
    guard isLive || head.span(exchange.segments[1]).isEqual(to: "ready") else { return false }
    // Whoever asks in words that nobody knows is told so like everywhere else.
    if exchange.methodIsUnknown, !exchange.methodIsTrace { return false }
    if exchange.method == .options, !exchange.methodIsTrace {
      answerOptions(exchange, allow: "GET, HEAD, OPTIONS")
      return true
    }
    guard exchange.method == .get || exchange.method == .head else {
      refuse(
        exchange,
        Problem(
          405, "request.method_not_allowed", "This path takes GET, HEAD, OPTIONS.",
          members: ["allow": "GET, HEAD, OPTIONS"]))
      return true
    }
    let report = isLive ? ports.health.live : ports.health.ready
    exchange.status = report.isHealthy ? 200 : 503
    exchange.addHeader("Content-Type", "application/json")
    exchange.addHeader("Cache-Control", "no-store")
    if !report.isHealthy { exchange.addHeader("Retry-After", "1") }
    exchange.answerBody.append(json: report.json)
    return true
  }

  /// What a path takes (RFC 9110, section 9.3.7): known without a key, as a 405 tells it too.
  func answerOptions(_ exchange: Exchange, allow: String) {
    exchange.status = 204
    exchange.addHeader("Allow", allow)
  }
}

import Application
import Domain
import Kernel

// What every answer carries, whoever wrote it.

extension Gateway {
  /// Nothing is appended to the head here: a handler that has answered may still read it.
  func decorate(_ exchange: Exchange, _ call: Call, _ scratch: Arena) {
    let head = exchange.head
    exchange.addHeader("X-Request-Id", head.span(exchange.requestID))
    exchange.addHeader("traceparent", head.span(exchange.traceparent))
    if let route = call.route, !route.deprecationHeaders.isEmpty {
      for header in route.deprecationHeaders { exchange.addHeader(header.name, header.value.span) }
    }
    if call.isDryRun { exchange.addHeader("Preference-Applied", "dry-run") }
    guard let decision = call.decision, let limit = call.limit else { return }
    scratch.removeAll()
    let policy = RateLimitHeaders.appendPolicy(limit, to: scratch)
    let state = RateLimitHeaders.appendState(decision, to: scratch)
    exchange.addHeader("RateLimit-Policy", scratch.span(policy))
    exchange.addHeader("RateLimit", scratch.span(state))
  }

  func logRequest(_ exchange: Exchange, _ call: Call, _ nanoseconds: Int64) {
    let head = exchange.head
    var fields: [String: JSONValue] = [
      "request_id": .string(String(head.span(exchange.requestID))),
      "trace_id": .string(String(head.span(exchange.traceparent).extracting(3..<35))),
      "status_code": .integer(Int64(exchange.status)),
      "duration_ms": .number(Double(nanoseconds / 1000) / 1000),
      "method": .string(exchange.method.rawValue),
    ]
    if let route = call.route {
      fields["route"] = .string(route.template)
      fields["automation"] = .string(route.generation.manifest.id)
      fields["generation"] = .integer(Int64(route.generation.record.number))
    }
    ports.log.log(exchange.status >= 500 ? .error : .debug, "gateway", "request", fields)
  }
}

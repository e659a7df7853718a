import Application
import Domain
import Kernel

/// A request as the control threads see it: values, no exchange.
struct AdminRequest: Sendable {
  enum Body: Sendable {
    case none
    case json(JSONValue)
    case upload(PendingUpload)
  }

  struct Caller: Sendable {
    var principal: String
    var key: String
    var scopes: [String]
  }

  var endpoint: AdminEndpoint
  var parameters: [String: String]
  var query: [String: String]
  var body: Body
  var caller: Caller
  var requestID: String
  var time: Timestamp
  /// `X-Content-SHA256`: what the upload has to hash to.
  var expectedSHA256: String?
  /// `X-Automation-Config`: the configuration beside an upload.
  var config: [UInt8]?

  func parameter(_ name: String) -> String { parameters[name] ?? "" }

  func abandonUpload() { if case .upload(let upload) = body { upload.abandon() } }
}

extension AdminApplication {
  /// Reads what the request says; the body is JSON without repeated members. [event]
  func read(_ exchange: Exchange, _ call: AdminCall) throws(Problem) -> AdminRequest {
    guard let route = call.route, let grant = call.grant else {
      throw Problem(500, "admin.internal", "The request was not let in.")
    }
    let head = exchange.head
    let table = ports.keys.table
    let parameters = exchange.parameters.map { (String(head.span($0.name)), String(head.span($0.value))) }
    return AdminRequest(
      endpoint: route.endpoint, parameters: Dictionary(parameters) { first, _ in first },
      query: try exchange.queryParameters(known: route.row.query), body: try body(exchange, call),
      caller: AdminRequest.Caller(
        principal: String(table.principal(of: grant)), key: table.id(of: grant).text,
        scopes: table.scopes.scopes(of: grant.scopes)),
      requestID: String(head.span(exchange.requestID)), time: .now,
      expectedSHA256: try sha256Header(exchange), config: try configHeader(exchange, call))
  }

  private func body(_ exchange: Exchange, _ call: AdminCall) throws(Problem) -> AdminRequest.Body {
    if let upload = call.upload { return .upload(upload) }
    let (head, body) = (exchange.head, exchange.body)
    guard body.count > 0 else { return .none }
    if exchange.has(.contentType), !MediaType.isJSON(head.span(exchange[.contentType])) {
      throw Problem(415, "request.media_type", "The body must be application/json.")
    }
    return .json(try StrictJSON.parse(body.span(body.all), maxDepth: limits.jsonDepth))
  }

  private func header(_ name: StaticString, _ exchange: Exchange) throws(Problem) -> String? {
    let head = exchange.head
    var value: String?
    for field in exchange.headers where head.span(field.name).isEqual(to: name) {
      guard value == nil else {
        throw Problem(400, "request.header_invalid", "The header '\(name)' may come once.")
      }
      value = String(head.span(field.value))
    }
    return value
  }

  private func sha256Header(_ exchange: Exchange) throws(Problem) -> String? {
    guard let text = try header("x-content-sha256", exchange) else { return nil }
    guard Digest256(hex: text) != nil else {
      throw Problem(400, "request.header_invalid", "X-Content-SHA256 is 64 hexadecimal digits.")
    }
    return text.lowercased()
  }

  /// base64url of the JSON: a header cannot hold all of UTF-8.
  private func configHeader(_ exchange: Exchange, _ call: AdminCall) throws(Problem) -> [UInt8]? {
    guard let text = try header("x-automation-config", exchange) else { return nil }
    guard call.upload != nil, let bytes = Base64URL.decode(text) else {
      throw Problem(
        400, "request.header_invalid",
        "X-Automation-Config is the configuration's JSON in base64url without padding, beside an upload.")
    }
    _ = try StrictJSON.parse(bytes.span, maxDepth: limits.jsonDepth)
    return bytes
  }
}

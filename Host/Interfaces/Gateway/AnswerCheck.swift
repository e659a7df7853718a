import Application
import Domain
import Kernel

// What a plugin answers, against what its manifest says that it answers.

extension Gateway {
  /// Puts a problem in the place of an answer that is not what its route declares. [event]
  ///
  /// The schema is that of success: errors (4xx, 5xx) and 304 have bodies of their own, or none. A redirect, a success
  /// without content where one is declared, and a success of another status than the declared one are counted and logged,
  /// and still leave: what was done must not look as if it had failed. Nor must what an earlier call was answered, which another
  /// generation's schema may have let pass. True: the answer is in the thread's document.
  @inline(__always)
  func check(_ exchange: Exchange, _ call: Call) -> Bool {
    guard exchange.status < 400, let route = call.route, !call.isAccepted, !exchange.isFromLedger else {
      return false
    }
    return checkDeclared(exchange, route)
  }

  @discardableResult
  func checkDeclared(_ exchange: Exchange, _ route: LiveRoute) -> Bool {
    let (status, declared) = (exchange.status, route.declaration.status)
    guard status < 400, declared != nil || route.schemas.response != nil else { return false }
    let hasContent = (200...299).contains(status) && status != 204 && status != 205
    let isDeclared = declared.map { $0 == status } ?? hasContent
    if !isDeclared, status != 304 { noteUndeclared(exchange, route) }
    guard hasContent, let schema = route.schemas.response else { return false }
    let (body, json) = (exchange.answerBody, threads.current.json)
    // An answer to HEAD may leave its content out (RFC 9110, section 9.3.2).
    if body.count == 0, exchange.method == .head { return false }
    guard hasJSONType(exchange) else {
      refuseAnswer(exchange, route, "", "type", "the Content-Type is not application/json")
      return false
    }
    do throws(JSONError) { try json.parse(body.span(body.all)) } catch {
      refuseAnswer(exchange, route, "", "json", "is not valid JSON: \(error.explanation)")
      return false
    }
    let violations = schema.validate(json.root, limit: 1)
    guard let first = violations.first else { return true }
    refuseAnswer(exchange, route, first.pointer, first.keyword, first.message)
    return false
  }

  func hasJSONType(_ exchange: Exchange) -> Bool {
    let head = exchange.answerHead
    for field in exchange.answerHeaders
    where field.name.count == 12 && head.span(field.name).hasPrefix(ignoringCase: "content-type") {
      return MediaType.isJSON(head.span(field.value))
    }
    return false
  }

  @inline(never)
  private func refuseAnswer(
    _ exchange: Exchange, _ route: LiveRoute, _ pointer: String, _ keyword: String, _ message: String
  ) {
    route.generation.countAnswer(.refused)
    var fields = answerFields(exchange, route)
    fields["pointer"] = .string(pointer)
    fields["keyword"] = .string(keyword)
    fields["reason"] = .string(message)
    fields["code"] = .string(Gateway.answerInvalid.code)
    ports.log.log(.error, "gateway", "an answer is not what its manifest says: it was not sent", fields)
    refuse(exchange, Gateway.answerInvalid)
  }

  @inline(never)
  private func noteUndeclared(_ exchange: Exchange, _ route: LiveRoute) {
    // Once for each generation: it is the plugin's way, not an accident.
    guard route.generation.countAnswer(.undeclared) == 1 else { return }
    ports.log.log(
      .warning, "gateway",
      "an answer has a status that its manifest does not declare; further ones are counted",
      answerFields(exchange, route))
  }

  private func answerFields(_ exchange: Exchange, _ route: LiveRoute) -> [String: JSONValue] {
    let head = exchange.head
    return [
      "request_id": .string(String(head.span(exchange.requestID))),
      "status_code": .integer(Int64(exchange.status)),
      "operation": .string(route.declaration.operation),
      "route": .string(route.template),
      "automation": .string(route.generation.manifest.id),
      "generation": .integer(Int64(route.generation.record.number)),
    ]
  }

  static let answerInvalid = Problem(
    500, "plugin.answer_invalid",
    "The automation's answer is not what it declares, and was withheld. The host's log says where.")
}

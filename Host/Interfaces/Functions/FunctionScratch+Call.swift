import Application
import Domain
import Kernel

// From the body of a call to the request that it stands for.

extension FunctionScratch {
  /// Members of a tool call that say nothing to the host: a caller may send what the model's API gave it as it is.
  private static let ignored: Set<String> = ["id", "call_id", "type", "status"]

  /// Makes the exchange the request that the call in its body stands for, unless it is about a job. Throws 400
  /// `request.body_missing` or `request.json_invalid`, 415, 404 `call.function_unknown`, and 422 `call.…`; 401 and 403
  /// before the arguments are looked at, for what is wrong with them tells of the route.
  func turn(_ exchange: Exchange, _ caller: Caller, _ snapshot: Snapshot) throws(Problem) -> OwnAnswer {
    clear()
    let (head, bytes) = (exchange.head, exchange.body)
    // Locals, for what is lent must not outlive a place that could change.
    let (call, arguments, target, body) = (call, arguments, target, body)
    if exchange.has(.contentType), !MediaType.isJSON(head.span(exchange[.contentType])) {
      throw Problem(415, "request.media_type", "The body must be application/json.")
    }
    guard bytes.count > 0 else {
      throw Problem(
        400, "request.body_missing", #"This needs a JSON body: {"name": "…", "arguments": {…}}."#)
    }
    do throws(JSONError) { try call.parse(bytes.span(bytes.all)) } catch {
      throw Problem(400, "request.json_invalid", "The body is not valid JSON: \(error.explanation)")
    }
    let name = try name()
    if let operation = JobOperation(rawValue: name) {
      try readArguments()
      return .job(
        RouteCall(nil, envelope: FunctionScratch.envelope), id: try JobOperation.job(in: arguments.root),
        cancels: operation == .cancel)
    }
    guard let route = snapshot.operation(named: name) else {
      throw Problem(
        404, "call.function_unknown",
        "There is no function '\(name.prefix(100))'. GET /functions.json lists those there are.",
        members: ["name": .string(String(name.prefix(100)))])
    }
    if !caller.may(route) { throw caller.refusal(route.declaration.scope ?? "") }
    try readArguments()
    if StrictArguments.hasNull(arguments.root) { try restoreArguments(route) }
    try route.operation.arguments.write(arguments.root, target: target, body: body)
    exchange.become(
      route.declaration.method, target: target.span(target.all), body: body.span(body.all))
    return .call(RouteCall(route, envelope: FunctionScratch.envelope))
  }

  private func name() throws(Problem) -> String {
    let call = call
    guard call.root.kind == .object else {
      throw FunctionScratch.invalid(#"The body must be an object: {"name": "…", "arguments": {…}}."#)
    }
    var seen: Set<String> = []
    var members = call.root.members
    while members.next() {
      let name = String(members.key)
      guard seen.insert(name).inserted else {
        throw FunctionScratch.invalid("The member '\(name.prefix(64))' stands here twice.")
      }
      guard name == "name" || name == "arguments" || FunctionScratch.ignored.contains(name) else {
        throw FunctionScratch.invalid(
          "There is no member '\(name.prefix(64))' of a call; it has 'name' and 'arguments'.")
      }
    }
    guard let name = call.root.member("name".utf8.span)?.string else {
      throw FunctionScratch.invalid("The member 'name' must say which function, as /functions.json names it.")
    }
    return name
  }

  /// Arguments are an object, or JSON text of one, as models' APIs give them; none at all are none.
  private func readArguments() throws(Problem) {
    let (call, arguments, text) = (call, arguments, text)
    text.append("{}")
    guard let given = call.root.member("arguments".utf8.span) else { return try parseText() }
    switch given.kind {
    case .null: try parseText()
    case .object:
      text.removeAll()
      text.append(json: given)
      try parseText()
    case .string:
      guard let string = given.utf8, string.count > 0 else { return try parseText() }
      text.removeAll()
      text.append(string)
      try parseText()
      if arguments.root.kind != .object { fallthrough }
    default:
      throw FunctionScratch.invalid("'arguments' must be a JSON object, or the text of one.")
    }
  }

  private func parseText() throws(Problem) {
    let (arguments, text) = (arguments, text)
    do throws(JSONError) { try arguments.parse(text.span(text.all)) } catch {
      throw FunctionScratch.invalid(
        "The text of 'arguments' is not valid JSON: \(error.explanation) Send it again, whole and well-formed."
      )
    }
  }

  private func restoreArguments(_ route: LiveRoute) throws(Problem) {
    // The document reads from its own copy, and `text` is free.
    let (arguments, text) = (arguments, text)
    text.removeAll()
    StrictArguments.write(arguments.root, for: route.operation.arguments.schema, to: text)
    try parseText()
  }

  private static func invalid(_ detail: String) -> Problem { Problem(422, "call.invalid", detail) }
}

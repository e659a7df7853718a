import Application
import Domain
import Kernel

/// Asks a client's user before a call that its route wants confirmed (`InputRequiredResult`).
///
/// The route answers the first call with 428 and a token that is bound to the key, the call and a time
/// (``Confirmations``). That token is the `requestState`: the client sends it back with what the user said. It comes
/// before no model, so that none can agree in the user's place.
enum Elicitation {
  /// The name of the one question.
  static let question = "confirm"
  static let maxStateBytes = 512
  static let maxShownBytes = 2000

  enum Reply: Equatable {
    /// Nobody was asked yet.
    case none
    case agreed
    case refused
  }

  /// Whether the client can put a question to its user: it has `elicitation` with forms, which `{}` means, too.
  static func canAsk(_ root: borrowing JSONElement, _ parameters: Parameters) -> Bool {
    let place = parameters.fields.clientCapabilities
    guard place > 0, let elicitation = root.value(at: place).member("elicitation".utf8.span),
      elicitation.kind == .object
    else { return false }
    return elicitation.count == 0 || elicitation.member("form".utf8.span) != nil
  }

  /// What the user said, as the client tells it.
  static func reply(_ root: borrowing JSONElement, _ parameters: Parameters) -> Reply {
    guard parameters.requestState > 0, parameters.inputResponses > 0,
      let answer = root.value(at: parameters.inputResponses).member(question.utf8.span),
      let action = answer.member("action".utf8.span)?.utf8
    else { return .none }
    guard action.isEqual(to: "accept") else { return .refused }
    guard let content = answer.member("content".utf8.span), let agrees = content.member(question.utf8.span)
    else {
      return .refused
    }
    return agrees.kind == .bool(true) ? .agreed : .refused
  }

  /// The token that came back; throws -32602 for what is none.
  static func state(
    _ root: borrowing JSONElement, _ parameters: Parameters
  ) throws(RPCFault) -> String {
    guard let text = root.value(at: parameters.requestState).string, text.utf8.count <= maxStateBytes,
      text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { throw .parameters("params.requestState is none that this host gave out.") }
    return text
  }

  /// Writes the question in the place of the route's demand for a confirmation; false when the answer is none.
  static func write(
    _ exchange: Exchange, _ call: RouteCall, _ tool: ToolCall, _ answer: RPCAnswer, _ json: JSONDocument,
    to out: Arena
  ) -> Bool {
    let (body, target) = (exchange.answerBody, exchange.head)
    guard exchange.status == 428, let route = call.route, (try? json.parse(body.span(body.all))) != nil,
      let token = json.root.member("confirm".utf8.span)?.string
    else { return false }
    let operation = route.operation
    var message = "\(operation.title)\n\(route.declaration.method.rawValue) "
    message += shown(target.span(exchange.rawPath))
    if !exchange.rawQuery.isEmpty { message += "?" + shown(target.span(exchange.rawQuery)) }
    let sent = exchange.body
    if sent.count > 0 { message += "\n" + shown(sent.span(sent.all)) }
    let question: JSONValue = [
      Elicitation.question: [
        "method": "elicitation/create",
        "params": [
          "mode": "form", "message": .string(message),
          "requestedSchema": [
            "type": "object",
            "properties": [
              Elicitation.question: [
                "type": "boolean", "title": .string(operation.title),
                "description": "Yes: do it. Nothing has been done yet.",
              ]
            ], "required": [.string(Elicitation.question)],
          ],
        ],
      ]
    ]
    answer.begin(tool.id, .modern, type: "input_required", to: out)
    out.append("\"inputRequests\":")
    out.append(json: question)
    out.append(",\"requestState\":")
    out.append(jsonString: token.utf8.span)
    out.append("}}")
    return true
  }

  private static func shown(_ bytes: Span<UInt8>) -> String {
    let text = String(bytes)
    return text.utf8.count > maxShownBytes ? String(text.prefix(maxShownBytes)) + " …" : text
  }
}

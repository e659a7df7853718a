import Application
import Kernel

extension FunctionsPath {
  /// `/functions/call`, for documents.
  static let callManual = OwnManual(
    "council_call_function", "Call a function by its name",
    "Runs an operation as a call of its own path would, with one object of arguments. `/functions.json` lists the functions, with "
      + "the schema of each one's arguments. A tool call of a model's API may be sent as it is. The status is the operation's own.",
    body: [
      "type": "object",
      "properties": [
        "name": ["type": "string", "description": "The function, as `/functions.json` names it."],
        "arguments": [
          "type": ["object", "string", "null"],
          "description": "Its arguments, or the JSON text of them; absent and null: none.",
        ],
        "id": ignored, "call_id": ignored, "type": ignored, "status": ignored,
      ], "required": ["name"], "additionalProperties": false,
    ],
    answers: [
      .init(
        "2XX", "It worked. What an operation streams is collected into one answer.",
        [
          "application/json": envelope("result", ["description": "What the operation answered."], isOK: true)
        ]),
      .init("4XX", "It failed, or was not called; `problem` says why and what to do.", failure),
      .init("5XX", "It failed.", failure),
    ], refusals: [403, 404], passesOn: .calls)

  private static let ignored: JSONValue = ["description": "Says nothing to the host."]

  /// What the host refuses before it knows that this is a call has no envelope.
  private static let failure: [String: JSONValue] = [
    "application/json": envelope(
      "problem", ["type": "object", "description": "Problem details (RFC 9457)."], isOK: false),
    OwnManual.problem.type: OwnManual.problem.schema,
  ]

  /// A definition, so that many answers can refer to it.
  private static func envelope(_ member: String, _ schema: JSONValue, isOK: Bool) -> JSONValue {
    let envelope: JSONValue = [
      "type": "object",
      "properties": .object([
        "ok": ["type": "boolean", "enum": [.bool(isOK)]],
        "status": ["type": "integer", "description": "The HTTP status of the operation's answer."],
        member: schema,
      ]), "required": ["ok", "status", .string(member)],
    ]
    return ["$ref": .string("#/$defs/\(member)"), "$defs": .object([member: envelope])]
  }
}

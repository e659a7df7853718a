package import Domain
package import Kernel

/// An operation as a tool of OpenAI's APIs.
package struct FunctionTool: Sendable {
  /// Whose shape of a tool: Chat Completions puts the function into a member, Responses does not.
  package enum API: String, Sendable, CaseIterable { case chat, responses }

  /// Longer ones are refused by the APIs.
  package static let maxDescription = 1024

  package let name: String
  package let description: String
  /// Strict, or as the route declares them.
  package let parameters: JSONValue
  /// Why it is not strict; empty when it is.
  package let obstacles: [StrictSchema.Obstacle]

  package init(_ operation: Operation, _ declaration: RouteDeclaration) {
    name = operation.name
    description = FunctionTool.cut(FunctionTool.warning(declaration.deprecation) + operation.text)
    let strict = StrictSchema(operation.arguments.schema)
    parameters = strict.schema ?? operation.arguments.schema
    obstacles = strict.obstacles
  }

  /// What the host itself does.
  package init(_ job: JobOperation) {
    name = job.name
    description = job.text
    parameters = JobOperation.arguments
    obstacles = []
  }

  package init(_ route: LiveRoute) { self.init(route.operation, route.declaration) }

  package var isStrict: Bool { obstacles.isEmpty }

  package func json(_ api: API = .chat) -> JSONValue {
    let function: JSONValue = [
      "name": .string(name), "description": .string(description), "parameters": parameters,
      "strict": .bool(isStrict),
    ]
    switch api {
    case .chat: return ["type": "function", "function": function]
    case .responses:
      guard case .object(var members) = function else { return function }
      members["type"] = "function"
      return .object(members)
    }
  }

  /// What its line in a list of tools costs a model, in tokens: its bytes over four, which is an estimate. What counts
  /// is the model's own tokenizer.
  package var tokens: Int { FunctionTool.tokens(JSON.encode(json()).count) }

  package static func tokens(_ bytes: Int) -> Int { (bytes + 3) / 4 }

  /// First, where no cut takes it away.
  private static func warning(_ deprecation: Deprecation?) -> String {
    guard let deprecation else { return "" }
    var text = "Deprecated"
    if let sunset = deprecation.sunset { text += ", and gone after \(sunset.text)" }
    if let link = deprecation.link { text += "; see \(link)" }
    return text + ". "
  }

  private static func cut(_ text: String) -> String {
    guard text.unicodeScalars.count > maxDescription else { return text }
    var cut = String.UnicodeScalarView()
    cut.append(contentsOf: text.unicodeScalars.prefix(maxDescription - 1))
    return String(cut) + "…"
  }
}

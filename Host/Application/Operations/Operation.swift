package import Domain
package import Kernel

/// A route as those call it who name it instead of its path: MCP tools, functions, documents. Made once, with the
/// ``LiveRoute``.
package final class Operation: Sendable {
  /// `accounts_get_account`: unique in the host, at most 64 characters of `[a-z0-9_-]`. An automation's id has no
  /// underscore, so the name splits at the first one.
  package let name: String
  package let title: String
  /// Summary and description.
  package let text: String
  package let hints: RouteHints
  /// The one object of arguments, and what becomes of each.
  package let arguments: ArgumentMap
  /// JSON Schema of a success; nil where none is declared.
  package let result: JSONValue?

  init(automation: String, root: String, declaration: RouteDeclaration, pattern: RoutePattern) {
    name = Operation.name(automation: automation, operation: declaration.operation)
    title = declaration.title ?? (declaration.summary.isEmpty ? declaration.operation : declaration.summary)
    text =
      declaration.details.isEmpty ? declaration.summary : declaration.summary + "\n\n" + declaration.details
    hints = declaration.hints
    arguments = ArgumentMap(declaration, pattern, root: root)
    result = declaration.responseSchema
  }

  package static func name(automation: String, operation: String) -> String { "\(automation)_\(operation)" }
}

extension Snapshot {
  /// The route of that name; nil for none. A canary's routes have no names: it is chosen by the request.
  package func operation(named name: String) -> LiveRoute? { operation(named: name.utf8.span) }

  package func operation(named name: Span<UInt8>) -> LiveRoute? {
    for index in name.indices where name[index] == UInt8(ascii: "_") {
      return automation(named: name.extracting(0..<index))?
        .route(operation: name.extracting(index + 1..<name.count))
    }
    return nil
  }
}

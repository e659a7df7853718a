import Application
import Domain
import Kernel

/// What a tool says that its structured content is (`outputSchema`): clients hold every result against it.
enum ResultSchema {
  /// nil where nothing can be promised: the answer is a stream, which becomes text, or nobody holds the handler to what it
  /// declares. The era before knows objects only. A call that may become a job is answered with one thing or the other.
  static func of(_ route: LiveRoute, _ era: Era, jobAfter: Duration?) -> JSONValue? {
    guard !route.declaration.streams, route.schemas.response != nil, let result = route.operation.result,
      case .object(var own) = result, era == .modern || result["type"] == "object"
    else { return nil }
    guard route.outlasts(jobAfter) else { return result }
    guard isMovable(result) else { return nil }
    // References keep their meaning: definitions stay at the root.
    var whole: [String: JSONValue] = [:]
    if result["type"] == "object" { whole["type"] = "object" }
    for name in ["$defs", "$schema"] { whole[name] = own.removeValue(forKey: name) }
    whole["anyOf"] = [.object(own), JobOperation.handleSchema]
    return .object(whole)
  }

  /// Whether nothing in the schema refers to a place that is elsewhere once it is an alternative.
  private static func isMovable(_ schema: JSONValue) -> Bool {
    switch schema {
    case .object(let members):
      members.allSatisfy { name, member in
        switch name {
        case "$id", "$anchor", "$dynamicAnchor", "$dynamicRef": false
        case "$ref": member.string?.hasPrefix("#/$defs/") ?? true
        default: isMovable(member)
        }
      }
    case .array(let items): items.allSatisfy(isMovable)
    default: true
    }
  }
}

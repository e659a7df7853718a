import Application
import Domain
import Kernel

/// What a tool says that its structured content is (`outputSchema`): clients hold every result against it.
enum ResultSchema {
  /// nil where nothing can be promised: the answer is a stream, which becomes text, or nobody holds the handler to what it
  /// declares. The era before knows objects only.
  static func of(_ route: LiveRoute, _ era: Era) -> JSONValue? {
    guard !route.declaration.streams, route.schemas.response != nil, let result = route.operation.result,
      result.object != nil
    else { return nil }
    return era == .modern || result["type"] == "object" ? result : nil
  }
}

package import Domain
package import Kernel

// What the words mean to a route.

extension SafetyWords.Word {
  /// Of the argument of a call by name, as few words as will do: a model reads them with every tool that writes.
  package var schema: JSONValue {
    switch self {
    case .key:
      ["type": "string", "description": "A new UUID for each operation; the same one to repeat the call."]
    case .confirm:
      [
        "type": "string",
        "description": "Left out at first; then the token of the answer that asked for confirmation.",
      ]
    case .dryRun: ["type": "boolean", "description": "true: answers what would happen and changes nothing."]
    case .ifMatch: ["type": "string", "description": "Only if the record still has this version."]
    }
  }
}

extension RouteDeclaration {
  /// Whether an agent is told of a word beside the route's own arguments: it may have no headers to say it in. A version is
  /// expected where the handler looks at it, which a 412 among its errors tells.
  package func offers(_ word: SafetyWords.Word) -> Bool {
    switch word {
    case .key: idempotency != .none
    case .confirm: confirm
    case .dryRun: dryRun
    case .ifMatch: errors.contains { $0.status == 412 }
    }
  }

  /// Whether a word means something to this route. A dry run that it does not offer has to be refused, and a key where the
  /// answer streams.
  package func heeds(_ word: SafetyWords.Word) -> Bool {
    switch word {
    case .key: idempotency != .none || streams && method != .get
    case .confirm: confirm
    case .dryRun: method != .get
    case .ifMatch: method != .get && method != .post
    }
  }
}

extension JSONValue {
  /// Whether an object in this value has a member of that name.
  func names(_ name: String) -> Bool {
    switch self {
    case .object(let members): members[name] != nil || members.values.contains { $0.names(name) }
    case .array(let items): items.contains { $0.names(name) }
    default: false
    }
  }
}

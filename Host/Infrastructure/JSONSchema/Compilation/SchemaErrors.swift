import Kernel

/// What is wrong with a schema, all of it that fits.
struct SchemaErrors {
  enum Kind: String { case invalid, unsupported }

  private var errors: [(kind: Kind, pointer: String, reason: String)] = []
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  var isEmpty: Bool { errors.isEmpty }
  var isFull: Bool { errors.count >= limit }

  mutating func add(_ kind: Kind, at pointer: String, _ reason: String) {
    if errors.count < limit { errors.append((kind, pointer, reason)) }
  }

  /// `schema.invalid` when anything is, `schema.unsupported` when the schema is good and only we are not.
  var problem: Problem? {
    guard let first = errors.first(where: { $0.kind == .invalid }) ?? errors.first else { return nil }
    let place = first.pointer.isEmpty ? "at its root" : "at \(first.pointer)"
    let detail =
      first.kind == .invalid
      ? "The JSON Schema is not valid \(place): \(first.reason)."
      : "The JSON Schema uses what this host does not support, \(place): \(first.reason)."
    let all = errors.map { error in
      JSONValue.object([
        "pointer": .string(error.pointer), "reason": .string(error.reason),
        "kind": .string(error.kind.rawValue),
      ])
    }
    return Problem(422, "schema.\(first.kind.rawValue)", detail, members: ["errors": .array(all)])
  }
}

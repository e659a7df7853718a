package import Domain
import Kernel

/// What a route's schemas say of its answers, worked out when its generation loads.
package struct AnswerOutline: Sendable {
  /// The members of a record, and what is known of those below; nil where the schema does not tell.
  package indirect enum Names: Sendable, Equatable {
    case open
    case closed([String: Names])
  }

  /// Answers `{"items": […], "next": cursor or null}`, and takes that cursor as `after`.
  package let isList: Bool
  /// The smallest page that the route gives, where it takes a `limit`; nil where it does not.
  package let smallestPage: Int?
  /// Of one record: an item of a list, or the object itself.
  package let names: Names
  /// Whether a member `truncated` may stand beside `items`.
  package let takesReason: Bool
  /// The query parameters that are the host's, because the route declares none of that name.
  package let parameters: HostParameter.Set

  package init(_ route: RouteDeclaration) {
    let response = AnswerOutline.Schema(route.responseSchema)
    let query = route.querySchema?["properties"]?.object ?? [:]
    let properties = response.value?["properties"]?.object
    let items = properties?["items"].map { AnswerOutline.Schema($0, in: response.root) }
    let isPage = items?.isArray == true && properties?["next"] != nil
    isList = isPage && query["after"] != nil && route.method == .get
    smallestPage = query["limit"].map { Int($0["minimum"]?.integer ?? 1) }
    let record = isPage ? items?.below("items") : response
    names = record?.names(depth: 0) ?? .open
    takesReason = isPage && response.value?["additionalProperties"] != .bool(false)
    parameters = HostParameter.Set(HostParameter.allCases.filter { query[$0.rawValue] == nil })
  }

  /// The first of the wanted names that no record has, and those that it may have; nil when all may be there.
  package func unknown(in selection: FieldSelection) -> (name: String, known: [String])? {
    AnswerOutline.unknown(in: selection, names, at: "")
  }

  private static func unknown(
    in selection: FieldSelection, _ names: Names, at path: String
  ) -> (name: String, known: [String])? {
    guard case .closed(let known) = names else { return nil }
    for member in selection.members {
      let name = String(decoding: member.name, as: UTF8.self)
      guard let below = known[name] else {
        return (path + name, known.keys.sorted().map { path + $0 })
      }
      if let wanted = member.below, let found = unknown(in: wanted, below, at: path + name + ".") {
        return found
      }
    }
    return nil
  }

  /// A schema with the document that its references point into.
  private struct Schema {
    let root: JSONValue?
    let value: JSONValue?

    init(_ value: JSONValue?, in root: JSONValue? = nil) {
      self.root = root ?? value
      self.value = Schema.resolve(value, self.root)
    }

    /// References inside the document, a few in a row.
    private static func resolve(_ value: JSONValue?, _ root: JSONValue?) -> JSONValue? {
      var value = value
      for _ in 0..<8 {
        guard let reference = value?["$ref"]?.string else { return value }
        value = root.flatMap { SchemaReference.resolve(reference, in: $0) }
      }
      return nil
    }

    var isArray: Bool { value?["type"] == "array" }

    func below(_ member: String) -> Schema? { value?[member].map { Schema($0, in: root) } }

    /// What the schema names is what there is, unless it says that there may be more.
    func names(depth: Int) -> Names {
      guard let value, depth < FieldSelection.maxDepth else { return .open }
      if isArray { return below("items")?.names(depth: depth) ?? .open }
      for keyword in ["patternProperties", "allOf", "anyOf", "oneOf", "if", "$dynamicRef"]
      where value[keyword] != nil { return .open }
      guard let properties = value["properties"]?.object, !properties.isEmpty else { return .open }
      if let more = value["additionalProperties"], more != .bool(false) { return .open }
      return .closed(properties.mapValues { Schema($0, in: root).names(depth: depth + 1) })
    }
  }
}

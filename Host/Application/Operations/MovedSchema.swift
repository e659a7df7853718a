import Kernel

/// One schema of a manifest whose parts go into another: every reference into it is led to where its target stands there.
///
/// Definitions go to `#/$defs/<owner>_<name>`. A reference to any other place, to the root among them, needs the whole
/// schema: it stands at `base`, which is `#/$defs/<owner>` unless the whole is a part itself.
struct MovedSchema {
  private let root: JSONValue
  private let owner: String
  private let base: String
  private let standsItself: Bool
  private var isWanted = false

  init(_ root: JSONValue?, _ owner: String, wholeAt base: String? = nil) {
    // The root stays the base of its references: its own name would make it a document apart.
    var members = root?.object ?? [:]
    members["$id"] = nil
    self.root = root?.object == nil ? root ?? [:] : .object(members)
    self.owner = owner
    self.base = base ?? "#/$defs/\(owner)"
    standsItself = base != nil
  }

  /// The part at a place of the schema; nil where nothing is.
  mutating func part(at place: [String]?) -> JSONValue? {
    place.flatMap { JSONPointer(steps: $0).value(in: root) }.map { moved($0) }
  }

  /// All of it but its definitions.
  mutating func whole() -> JSONValue {
    guard case .object(var members) = root else { return root }
    members["$defs"] = nil
    return moved(.object(members))
  }

  /// What its parts refer to. Last: ``part(at:)`` and ``whole()`` say what that is.
  mutating func definitions() -> [String: JSONValue] {
    var all: [String: JSONValue] = [:]
    for (name, definition) in root["$defs"]?.object ?? [:] { all["\(owner)_\(name)"] = moved(definition) }
    if isWanted, !standsItself { all[owner] = whole() }
    return all
  }

  // MARK: Walking

  /// `leads`: references are led on. One with an `$id` is a document of its own, whose references stay (JSON Schema
  /// 2020-12 core, section 8.2.1).
  private mutating func moved(_ schema: JSONValue, leads: Bool = true) -> JSONValue {
    switch schema {
    case .object(var members):
      let leads = leads && members["$id"] == nil
      // A client of MCP would repeat the argument as a header that nothing here compares with it.
      members["x-mcp-header"] = nil
      for (name, value) in members {
        switch SchemaPlace(under: name) {
        case .schema: members[name] = moved(value, leads: leads)
        case .named:
          guard case .object(var named) = value else { continue }
          for (key, one) in named { named[key] = moved(one, leads: leads) }
          members[name] = .object(named)
        case .value:
          if leads, name == "$ref", let text = value.string { members[name] = .string(led(text)) }
        }
      }
      return .object(members)
    case .array(let items):
      var all: [JSONValue] = []
      for item in items { all.append(moved(item, leads: leads)) }
      return .array(all)
    default: return schema
    }
  }

  private mutating func led(_ reference: String) -> String {
    guard reference.hasPrefix("#") else { return reference }
    var pointer = reference
    if reference.utf8.count > 1, !reference.hasPrefix("#/") {
      guard let place = MovedSchema.place(of: String(reference.dropFirst()), in: root, []) else {
        return reference
      }
      pointer = "#" + JSONPointer.text(place)
    }
    let definitions = "#/$defs/"
    if pointer.hasPrefix(definitions) {
      return "\(definitions)\(owner)_\(pointer.dropFirst(definitions.count))"
    }
    isWanted = true
    return base + pointer.dropFirst()
  }

  /// Where an `$anchor` stands.
  private static func place(of anchor: String, in schema: JSONValue, _ at: [String]) -> [String]? {
    switch schema {
    case .object(let members):
      if members["$anchor"]?.string == anchor || members["$dynamicAnchor"]?.string == anchor { return at }
      for (name, value) in members.sorted(by: { $0.key < $1.key }) {
        switch SchemaPlace(under: name) {
        case .schema: if let found = place(of: anchor, in: value, at + [name]) { return found }
        case .named:
          for (key, one) in (value.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            if let found = place(of: anchor, in: one, at + [name, key]) { return found }
          }
        case .value: break
        }
      }
    case .array(let items):
      for (number, item) in items.enumerated() {
        if let found = place(of: anchor, in: item, at + [String(number)]) { return found }
      }
    default: break
    }
    return nil
  }
}

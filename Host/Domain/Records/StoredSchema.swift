package import Kernel

/// What a store knows of the collections that were declared to it before.
package struct StoredSchema: Sendable, Equatable {
  /// A field as the engine keeps it, whether the present declaration shows it or not.
  package struct Field: Sendable, Equatable {
    package var type: FieldDeclaration.FieldType
    /// Whether the engine itself fills the field for a generation that does not know it.
    package var hasDefault: Bool
    package var encryption: Encryption

    package enum Encryption: String, Sendable {
      case none = ""
      case sealed = "encrypted"
      /// With what its values are found by.
      case findable = "encrypted findable"
    }

    package init(type: FieldDeclaration.FieldType, hasDefault: Bool, encryption: Encryption = .none) {
      self.type = type
      self.hasDefault = hasDefault
      self.encryption = encryption
    }
  }

  package struct Index: Sendable, Hashable {
    package var fields: [String]
    package var unique: Bool

    package init(fields: [String], unique: Bool) {
      self.fields = fields
      self.unique = unique
    }
  }

  package struct Collection: Sendable, Equatable {
    package var fields: [String: Field]
    package var indexes: Set<Index>
    /// The fields of the full-text index, in its order; empty: there is none.
    package var searchable: [String]

    package init(fields: [String: Field] = [:], indexes: Set<Index> = [], searchable: [String] = []) {
      self.fields = fields
      self.indexes = indexes
      self.searchable = searchable
    }
  }

  /// What was declared last; nil for a store that is new.
  package var current: [CollectionDeclaration]?
  /// Every distinct declaration that was applied, the current one included.
  package var history: [[CollectionDeclaration]]
  package var collections: [String: Collection]

  package init(
    current: [CollectionDeclaration]? = nil, history: [[CollectionDeclaration]] = [],
    collections: [String: Collection] = [:]
  ) {
    self.current = current
    self.history = history
    self.collections = collections
  }
}

/// A declaration as stores remember it: without queries, which no record depends on.
extension CollectionDeclaration {
  package var stored: JSONValue {
    var members: [String: JSONValue] = [
      "name": .string(name), "fields": .array(fields.map(\.stored)),
    ]
    if !indexes.isEmpty { members["indexes"] = .array(indexes.map { .array($0.map { .string($0) }) }) }
    if let expires {
      members["expires"] = .object([
        "field": .string(expires.field), "after_s": expires.afterSeconds.map { .integer($0) } ?? .null,
      ])
    }
    return .object(members)
  }

  /// nil for JSON that ``stored`` does not make.
  package init?(stored: JSONValue) {
    guard let name = stored["name"]?.string, let items = stored["fields"]?.array else { return nil }
    let fields = items.compactMap { FieldDeclaration(stored: $0) }
    guard fields.count == items.count else { return nil }
    let indexes = (stored["indexes"]?.array ?? []).map { ($0.array ?? []).compactMap(\.string) }
    let expires = stored["expires"].flatMap { stored in
      stored["field"]?.string.map {
        ExpiryDeclaration(field: $0, afterSeconds: stored["after_s"]?.integer)
      }
    }
    self.init(name: name, fields: fields, indexes: indexes, expires: expires)
  }

  /// One text for one meaning: equal exactly when no record can tell two declarations apart.
  package static func storedText(_ declarations: [CollectionDeclaration]) -> String {
    JSON.text(JSONValue.array(declarations.sorted { $0.name < $1.name }.map(\.stored)))
  }

  package static func read(storedText text: String) -> [CollectionDeclaration]? {
    guard let value = try? JSONValue.parse(text.utf8.span), let items = value.array else { return nil }
    let declarations = items.compactMap { CollectionDeclaration(stored: $0) }
    return declarations.count == items.count ? declarations : nil
  }
}

extension FieldDeclaration {
  /// How an engine keeps the field's values.
  package var encryption: StoredSchema.Field.Encryption {
    encrypted ? unique || indexed ? .findable : .sealed : .none
  }

  fileprivate var stored: JSONValue {
    var members: [String: JSONValue] = ["name": .string(name), "type": .string(type.rawValue)]
    if required { members["required"] = true }
    if unique { members["unique"] = true }
    if indexed { members["indexed"] = true }
    if searchable { members["searchable"] = true }
    if encrypted { members["encrypted"] = true }
    if let defaultValue, defaultValue != .null { members["default"] = defaultValue }
    if let allowed { members["enum"] = .array(allowed.map { .string($0) }) }
    if let minLength { members["min_length"] = .integer(Int64(minLength)) }
    if let maxLength { members["max_length"] = .integer(Int64(maxLength)) }
    if let minimum { members["minimum"] = .number(minimum) }
    if let maximum { members["maximum"] = .number(maximum) }
    return .object(members)
  }

  fileprivate init?(stored: JSONValue) {
    guard let name = stored["name"]?.string,
      let type = stored["type"]?.string.flatMap(FieldType.init(rawValue:))
    else { return nil }
    func double(_ key: String) -> Double? {
      switch stored[key] {
      case .integer(let number)?: Double(number)
      case .number(let number)?: number
      default: nil
      }
    }
    self.init(
      name: name, type: type, required: stored["required"]?.bool ?? false,
      unique: stored["unique"]?.bool ?? false, indexed: stored["indexed"]?.bool ?? false,
      searchable: stored["searchable"]?.bool ?? false, encrypted: stored["encrypted"]?.bool ?? false,
      defaultValue: stored["default"], allowed: stored["enum"]?.array?.compactMap(\.string),
      minLength: stored["min_length"]?.integer.map { Int($0) },
      maxLength: stored["max_length"]?.integer.map { Int($0) }, minimum: double("minimum"),
      maximum: double("maximum"))
  }
}

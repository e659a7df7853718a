package import Kernel

/// What it takes to open a store with new declarations: a decision without I/O.
///
/// Only additions are made, so that the old generation goes on working while the new one starts, and a
/// rollback finds what it left. A field that an earlier, once applied declaration does not know stays in the store,
/// hidden.
package struct SchemaMigration: Sendable, Equatable {
  package enum Step: Sendable, Equatable {
    case createCollection(CollectionDeclaration)
    case addField(collection: String, FieldDeclaration)
    /// Gives every record without a value the field's default.
    case fill(collection: String, FieldDeclaration)
    case addIndex(collection: String, StoredSchema.Index)
    case dropIndex(collection: String, StoredSchema.Index)
    /// Makes the full-text index over these fields, from the records that exist; in the place of another.
    case addSearch(collection: String, fields: [String])
    case dropSearch(collection: String)
  }

  /// What must hold for the records that exist; the engine looks, before it takes a step.
  package enum Check: Sendable, Equatable {
    case noDuplicates(collection: String, field: String)
    case noNulls(collection: String, field: String)
    /// Every value keeps to the field's allowed values, lengths and bounds.
    case valuesFit(collection: String, FieldDeclaration)
  }

  /// One reason why the declarations cannot be taken.
  package struct Refusal: Sendable, Equatable {
    /// `collection_removed`, `field_removed`, `type_changed`, `encryption_changed`, `required_without_default`,
    /// `duplicate_values`,
    /// `missing_values`, `values_out_of_bounds`.
    package var change: String
    package var collection: String
    package var field: String?
    package var detail: String

    package init(_ change: String, _ collection: String, _ field: String?, _ detail: String) {
      self.change = change
      self.collection = collection
      self.field = field
      self.detail = detail
    }

    package var json: JSONValue {
      var members: [String: JSONValue] = [
        "change": .string(change), "collection": .string(collection), "detail": .string(detail),
      ]
      if let field { members["field"] = .string(field) }
      return .object(members)
    }
  }

  package private(set) var steps: [Step] = []
  package private(set) var checks: [Check] = []
  package private(set) var refusals: [Refusal] = []

  /// Whether the store already is what is declared.
  package var isEmpty: Bool { steps.isEmpty && checks.isEmpty && refusals.isEmpty }

  package init(from stored: StoredSchema, to declared: [RecordSchema]) {
    for schema in declared {
      if let collection = stored.collections[schema.name] {
        migrate(collection, to: schema, stored: stored)
      } else {
        steps.append(.createCollection(schema.declaration))
        for index in schema.wantedIndexes.sorted(by: SchemaMigration.byName) {
          steps.append(.addIndex(collection: schema.name, index))
        }
        addSearch(to: schema)
      }
    }
    for old in stored.current ?? [] where !declared.contains(where: { $0.name == old.name }) {
      let wasAbsent = stored.history.contains { set in !set.contains { $0.name == old.name } }
      if !wasAbsent {
        refusals.append(
          Refusal("collection_removed", old.name, nil, "collection \(old.name) is no longer declared"))
      }
    }
  }

  private mutating func migrate(
    _ collection: StoredSchema.Collection, to schema: RecordSchema, stored: StoredSchema
  ) {
    let text = schema.declaration.stored
    let isKnown = stored.history.contains { set in set.contains { $0.stored == text } }
    let current = stored.current?.first { $0.name == schema.name }
    for field in schema.declaration.fields {
      guard let kept = collection.fields[field.name] else {
        add(field, to: schema.name)
        continue
      }
      guard kept.type == field.type else {
        refusals.append(
          Refusal(
            "type_changed", schema.name, field.name,
            "field \(field.name) of \(schema.name) was \(kept.type.rawValue) and is declared "
              + field.type.rawValue))
        continue
      }
      guard kept.encryption == field.encryption else {
        let was =
          switch kept.encryption {
          case .none: "in plain text"
          case .sealed: "encrypted"
          case .findable: "encrypted and found by equality"
          }
        refusals.append(
          Refusal(
            "encryption_changed", schema.name, field.name,
            "field \(field.name) of \(schema.name) is kept \(was), and its old values would stay so: declare a new field"
          ))
        continue
      }
      compare(field, with: current?.fields.first { $0.name == field.name }, kept: kept, schema.name, isKnown)
    }
    if !isKnown {
      for old in current?.fields ?? [] where schema.member(named: old.name) == nil {
        refusals.append(
          Refusal(
            "field_removed", schema.name, old.name,
            "field \(old.name) (\(old.type.rawValue)) of \(schema.name) is no longer declared"))
      }
    }
    changeIndexes(of: collection, to: schema, isKnown: isKnown)
    changeSearch(of: collection, to: schema)
  }

  private mutating func add(_ field: FieldDeclaration, to collection: String) {
    if field.required, field.defaultValue == nil || field.defaultValue == .null {
      refusals.append(
        Refusal(
          "required_without_default", collection, field.name,
          "the new field \(field.name) of \(collection) is required and has no default for the records that exist"
        ))
    } else {
      steps.append(.addField(collection: collection, field))
    }
  }

  /// A field that the store has: does what exists keep to what is declared now?
  private mutating func compare(
    _ field: FieldDeclaration, with old: FieldDeclaration?, kept: StoredSchema.Field, _ collection: String,
    _ isKnown: Bool
  ) {
    let hasDefault = field.defaultValue != nil && field.defaultValue != .null
    if field.required, old?.required != true {
      if hasDefault {
        // Filled by the engine while the field was hidden, unless it had no default then.
        if old != nil || !kept.hasDefault { steps.append(.fill(collection: collection, field)) }
      } else if !isKnown {
        checks.append(.noNulls(collection: collection, field: field.name))
      }
    }
    // Going back must work: records of the newer generation are then shown as they are.
    if !isKnown, field.isTighter(than: old) {
      checks.append(.valuesFit(collection: collection, field))
    }
  }

  private mutating func changeIndexes(
    of collection: StoredSchema.Collection, to schema: RecordSchema, isKnown: Bool
  ) {
    let wanted = schema.wantedIndexes
    for index in collection.indexes.subtracting(wanted).sorted(by: SchemaMigration.byName) {
      let isVisible = index.fields.allSatisfy { schema.member(named: $0) != nil }
      // On a step back or forth a plain index does no harm and costs much to make again; a unique one
      // would refuse records that this declaration allows.
      if isVisible, index.unique || !isKnown {
        steps.append(.dropIndex(collection: schema.name, index))
      }
    }
    for index in wanted.subtracting(collection.indexes).sorted(by: SchemaMigration.byName) {
      if index.unique, collection.fields[index.fields[0]] != nil {
        checks.append(.noDuplicates(collection: schema.name, field: index.fields[0]))
      }
      steps.append(.addIndex(collection: schema.name, index))
    }
  }

  private mutating func addSearch(to schema: RecordSchema) {
    let fields = schema.searchable.map { schema.members[$0].name }
    if !fields.isEmpty { steps.append(.addSearch(collection: schema.name, fields: fields)) }
  }

  /// Unlike a plain index it costs every write, so it goes with the declaration.
  private mutating func changeSearch(of collection: StoredSchema.Collection, to schema: RecordSchema) {
    let wanted = schema.searchable.map { schema.members[$0].name }
    guard Set(wanted) != Set(collection.searchable) else { return }
    if wanted.isEmpty {
      steps.append(.dropSearch(collection: schema.name))
    } else {
      addSearch(to: schema)
    }
  }

  private static func byName(_ a: StoredSchema.Index, _ b: StoredSchema.Index) -> Bool {
    (a.unique ? 0 : 1, a.fields.joined(separator: ",")) < (b.unique ? 0 : 1, b.fields.joined(separator: ","))
  }
}

extension RecordSchema {
  /// Every index that the declaration asks for, one per unique field included.
  package var wantedIndexes: Set<StoredSchema.Index> {
    var all = Set(indexes.map { StoredSchema.Index(fields: $0.map { members[$0].name }, unique: false) })
    for field in declaration.fields where field.unique {
      all.insert(StoredSchema.Index(fields: [field.name], unique: true))
    }
    return all
  }
}

extension FieldDeclaration {
  /// Whether this refuses a value that `old` takes; with no `old`, any value.
  fileprivate func isTighter(than old: FieldDeclaration?) -> Bool {
    if let allowed, !Set(old?.allowed ?? []).isSubset(of: allowed) || old?.allowed == nil { return true }
    if let minLength, minLength > old?.minLength ?? 0 { return true }
    if let maxLength, maxLength < old?.maxLength ?? .max { return true }
    if let minimum, minimum > old?.minimum ?? -.infinity { return true }
    if let maximum, maximum < old?.maximum ?? .infinity { return true }
    return false
  }
}

extension SchemaMigration.Step: CustomStringConvertible {
  /// `accounts: add field nickname (string)`.
  package var description: String {
    switch self {
    case .createCollection(let declaration): "\(declaration.name): create collection"
    case .addField(let collection, let field):
      "\(collection): add field \(field.name) (\(field.type.rawValue))"
    case .fill(let collection, let field): "\(collection): fill missing \(field.name) with its default"
    case .addIndex(let collection, let index):
      "\(collection): add \(index.unique ? "unique " : "")index on \(index.fields.joined(separator: ", "))"
    case .dropIndex(let collection, let index):
      "\(collection): drop \(index.unique ? "unique " : "")index on \(index.fields.joined(separator: ", "))"
    case .addSearch(let collection, let fields):
      "\(collection): add full-text index on \(fields.joined(separator: ", "))"
    case .dropSearch(let collection): "\(collection): drop full-text index"
    }
  }
}

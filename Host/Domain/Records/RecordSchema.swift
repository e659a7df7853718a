package import Kernel

/// One member of a record: a declared field, or one of the host's own four.
package struct RecordMember: Sendable, Equatable {
  package var name: String
  package var nameBytes: [UInt8]
  package var type: FieldDeclaration.FieldType
  /// nil for id, version, created_at and updated_at.
  package var declaration: FieldDeclaration?

  init(_ name: String, _ type: FieldDeclaration.FieldType, _ declaration: FieldDeclaration? = nil) {
    self.name = name
    nameBytes = Array(name.utf8)
    self.type = type
    self.declaration = declaration
  }

  package func isNamed(_ name: Span<UInt8>) -> Bool {
    guard nameBytes.count == name.count else { return false }
    for index in name.indices where nameBytes[index] != name[index] { return false }
    return true
  }

  /// Whether every record has a value: the host's own members do.
  package var isNeverNull: Bool { declaration == nil }
  package var isFilterable: Bool { type != .json }
  package var isEncrypted: Bool { declaration?.encrypted == true }
  /// Whether values of an encrypted field can be found: by equality, never by range or order.
  package var isFindable: Bool {
    guard let declaration, declaration.encrypted else { return isFilterable }
    return declaration.unique || declaration.indexed
  }
}

/// A checked collection: what documents and queries are read against, and what engines build tables from.
package struct RecordSchema: Sendable, Equatable {
  package let name: String
  /// In the order in which a record shows them: id, the declared fields, version, created_at, updated_at.
  package let members: [RecordMember]
  /// Every index beside those of unique fields, as member positions.
  package let indexes: [[Int]]
  package let declaration: CollectionDeclaration
  /// What an inserted document without the field gets, by declared field.
  package let defaults: [RecordValue]
  /// Members that full-text search looks into.
  package let searchable: [Int]
  /// The member that says when a record ends.
  package let expiry: Int?
  package let hasEncryptedUnique: Bool

  package static let id = 0
  package var declared: Range<Int> { 1..<members.count - 3 }
  package var version: Int { members.count - 3 }
  package var createdAt: Int { members.count - 2 }
  package var updatedAt: Int { members.count - 1 }

  package static let hostMembers = ["id", "version", "created_at", "updated_at"]
  /// Words of the query language, which a field cannot be named.
  package static let reservedNames = ["and", "or", "not"]

  /// The position of a member. A scan: names are few and differ early.
  package func member(_ name: Span<UInt8>) -> Int? {
    for index in members.indices where members[index].isNamed(name) { return index }
    return nil
  }

  package func member(named name: String) -> Int? { members.firstIndex { $0.name == name } }

  /// Checks a declaration against the rules that hold for every engine. Throws `records.unsupported` with
  /// every cause; `pointer` says where the declaration stands.
  package init(
    _ declaration: CollectionDeclaration, at pointer: String = "", limits: RecordLimits = RecordLimits()
  ) throws(Problem) {
    var check = DeclarationCheck(declaration, pointer: pointer, limits: limits)
    check.run()
    guard check.issues.isEmpty else { throw .recordsUnsupported(check.issues) }
    name = declaration.name
    self.declaration = declaration
    members =
      [RecordMember("id", .string)] + declaration.fields.map { RecordMember($0.name, $0.type, $0) }
      + [
        RecordMember("version", .integer), RecordMember("created_at", .timestamp),
        RecordMember("updated_at", .timestamp),
      ]
    let names = members.map(\.name)
    // Newest first is how nearly every collection is listed, so that index is always there.
    var lists = [["created_at"]]
    for field in declaration.fields where field.indexed && !field.unique { lists.append([field.name]) }
    // What has ended is found by it.
    if let field = declaration.expires?.field, !lists.contains([field]) { lists.append([field]) }
    for index in declaration.indexes where !lists.contains(index) { lists.append(index) }
    indexes = lists.map { $0.compactMap { names.firstIndex(of: $0) } }
    defaults = check.defaults
    searchable = declaration.fields.filter(\.searchable).compactMap { names.firstIndex(of: $0.name) }
    hasEncryptedUnique = declaration.fields.contains { $0.encrypted && $0.unique }
    expiry = declaration.expires.flatMap { names.firstIndex(of: $0.field) }
  }

  /// Checks every collection of an automation. Throws one problem that lists the causes of all.
  package static func all(
    _ declarations: [CollectionDeclaration], limits: RecordLimits = RecordLimits()
  ) throws(Problem) -> [RecordSchema] {
    var schemas: [RecordSchema] = []
    var causes: [RecordIssue] = []
    if declarations.count > limits.maxCollections {
      causes.append(RecordIssue("", "at most \(limits.maxCollections) collections can be declared"))
    }
    for (index, declaration) in declarations.enumerated() {
      if declarations[..<index].contains(where: { $0.name == declaration.name }) {
        causes.append(RecordIssue("/\(index)/name", "is the name of an earlier collection"))
      }
      var check = DeclarationCheck(declaration, pointer: "/\(index)", limits: limits)
      check.run()
      causes += check.issues
    }
    guard causes.isEmpty else { throw .recordsUnsupported(causes) }
    for declaration in declarations { schemas.append(try RecordSchema(declaration, limits: limits)) }
    return schemas
  }
}

/// Collects what is wrong with one declaration.
private struct DeclarationCheck {
  let declaration: CollectionDeclaration
  let pointer: String
  let limits: RecordLimits
  var issues: [RecordIssue] = []
  var defaults: [RecordValue] = []

  init(_ declaration: CollectionDeclaration, pointer: String, limits: RecordLimits) {
    self.declaration = declaration
    self.pointer = pointer
    self.limits = limits
  }

  mutating func refuse(_ place: String, _ reason: String) {
    issues.append(RecordIssue(pointer + place, reason))
  }

  mutating func run() {
    if !Names.isField(declaration.name) { refuse("/name", "must match [a-z][a-z0-9_]{0,62}") }
    if declaration.name.hasPrefix("sqlite_") { refuse("/name", "must not start with sqlite_") }
    if declaration.fields.isEmpty { refuse("/fields", "must declare at least one field") }
    if declaration.fields.count > limits.maxFields {
      refuse("/fields", "at most \(limits.maxFields) fields can be declared")
      return
    }
    for (index, field) in declaration.fields.enumerated() { check(field, index) }
    checkIndexes()
    checkExpiry()
    if declaration.queries.count > limits.maxNamedQueries {
      refuse("/queries", "at most \(limits.maxNamedQueries) queries can be declared")
    }
    for (index, query) in declaration.queries.enumerated() {
      if !Names.isField(query.name) { refuse("/queries/\(index)/name", "must match [a-z][a-z0-9_]{0,62}") }
      if declaration.queries[..<index].contains(where: { $0.name == query.name }) {
        refuse("/queries/\(index)/name", "is the name of an earlier query")
      }
    }
  }

  private mutating func check(_ field: FieldDeclaration, _ index: Int) {
    let place = "/fields/\(index)"
    if !Names.isField(field.name) { refuse("\(place)/name", "must match [a-z][a-z0-9_]{0,62}") }
    if RecordSchema.hostMembers.contains(field.name) {
      refuse("\(place)/name", "\(field.name) is the host's own")
    }
    if RecordSchema.reservedNames.contains(field.name) {
      refuse("\(place)/name", "\(field.name) is a word of the query language")
    }
    if declaration.fields[..<index].contains(where: { $0.name == field.name }) {
      refuse("\(place)/name", "is the name of an earlier field")
    }
    if field.searchable, field.type != .string { refuse("\(place)/searchable", "is for string fields") }
    if field.encrypted {
      if field.type != .string { refuse("\(place)/encrypted", "is for string fields") }
      if field.searchable { refuse("\(place)/searchable", "an encrypted field cannot be searched") }
      if field.defaultValue != nil {
        refuse(
          "\(place)/default", "an encrypted field cannot have a default, which would be kept in plain text")
      }
    }
    if field.type == .json, field.unique || field.indexed {
      refuse(place, "a json field can be neither unique nor indexed")
    }
    if field.unique, field.defaultValue != nil {
      refuse("\(place)/default", "a unique field cannot have a default: the second record would conflict")
    }
    if field.type != .string, field.allowed != nil || field.minLength != nil || field.maxLength != nil {
      refuse(place, "allowed values and lengths are for string fields")
    }
    if field.type != .integer, field.type != .number, field.minimum != nil || field.maximum != nil {
      refuse(place, "minimum and maximum are for integer and number fields")
    }
    if let allowed = field.allowed, allowed.isEmpty { refuse("\(place)/enum", "must hold a value") }
    if let low = field.minLength, low < 0 || low > field.maxLength ?? .max {
      refuse("\(place)/min_length", "must be between 0 and max_length")
    }
    if let high = field.maxLength, high < 0 { refuse("\(place)/max_length", "must not be negative") }
    for bound in [field.minimum, field.maximum] where bound?.isFinite == false {
      refuse(place, "minimum and maximum must be finite")
    }
    if let low = field.minimum, let high = field.maximum, low > high {
      refuse("\(place)/minimum", "must not be above maximum")
    }
    checkDefault(field, place)
  }

  private mutating func checkDefault(_ field: FieldDeclaration, _ place: String) {
    guard let value = field.defaultValue, value != .null else {
      defaults.append(.null)
      return
    }
    // The default goes the way of a document's value, so it is kept to the same rules.
    let document = JSONDocument()
    do {
      try document.parse(JSON.encode(value).span)
    } catch {
      refuse("\(place)/default", "cannot be read: \(error)")
      return
    }
    do {
      defaults.append(try field.value(of: document.root, limits: limits))
    } catch {
      refuse("\(place)/default\(error.pointer)", error.reason)
    }
  }

  private mutating func checkIndexes() {
    if declaration.indexes.count > limits.maxIndexes {
      refuse("/indexes", "at most \(limits.maxIndexes) indexes can be declared")
    }
    for (index, fields) in declaration.indexes.enumerated() {
      let place = "/indexes/\(index)"
      if fields.isEmpty || fields.count > limits.maxIndexFields {
        refuse(place, "must name 1 to \(limits.maxIndexFields) fields")
      }
      if Set(fields).count != fields.count { refuse(place, "names a field twice") }
      if declaration.indexes[..<index].contains(fields) { refuse(place, "repeats an earlier index") }
      for (position, name) in fields.enumerated() {
        if RecordSchema.hostMembers.contains(name) { continue }
        guard let field = declaration.fields.first(where: { $0.name == name }) else {
          refuse("\(place)/\(position)", "names no field")
          continue
        }
        if field.type == .json { refuse("\(place)/\(position)", "a json field cannot be indexed") }
        if field.encrypted {
          refuse("\(place)/\(position)", "an encrypted field has no order: declare it indexed or unique")
        }
      }
    }
  }

  private mutating func checkExpiry() {
    guard let expires = declaration.expires else { return }
    if let field = declaration.fields.first(where: { $0.name == expires.field }) {
      if field.type != .timestamp { refuse("/expires/field", "\(field.name) is no timestamp field") }
    } else {
      refuse("/expires/field", "names no declared field")
    }
    if let seconds = expires.afterSeconds, !(1...ExpiryDeclaration.maxSeconds).contains(seconds) {
      refuse("/expires/after_s", "must be from 1 to \(ExpiryDeclaration.maxSeconds)")
    }
  }
}

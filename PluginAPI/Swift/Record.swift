/// One collection of records: its name, its fields, its indexes and its named queries.
///
/// A record is a JSON object with these fields and the host's own members `id`, `version`, `created_at` and
/// `updated_at`. The conforming type is a name for the declaration; it holds records only where it is also
/// `Decodable` and decoded with ``RecordJSON/decode(_:)``.
///
/// ```swift
/// enum Account: Record {
///   static let collection = "accounts"
///   static let fields: [Field] = [
///     .string("name", length: 1...200).required(),
///     .string("email", length: 3...254).required().unique(),
///     .integer("balance").defaulting(to: 0),
///   ]
/// }
/// ```
public protocol Record: Sendable {
  /// `[a-z][a-z0-9_]{0,62}`, unique in the automation.
  static var collection: String { get }
  static var fields: [Field] { get }
  /// Fields of each index, in order. A unique field has an index of its own. Default: none.
  static var indexes: [[String]] { get }
  /// Queries that the host compiles when the automation loads. Default: none.
  static var queries: [NamedQuery] { get }
  /// Records that end by themselves. Default: none does.
  static var expiry: Expiry? { get }
  /// Which query parameters a list takes. Default: equality on, and order by, every field with an index.
  static var listing: Listing { get }
}

extension Record {
  public static var indexes: [[String]] { [] }
  public static var queries: [NamedQuery] { [] }
  public static var expiry: Expiry? { nil }
  public static var listing: Listing {
    let indexed = fields.filter { $0.isUnique || $0.isIndexed }
    return Listing(
      of: Self.self, filters: indexed.map { .equal(to: $0.name) },
      order: indexed.filter { !$0.isEncrypted }.map(\.name) + ["created_at"])
  }
}

/// A query with a name. In its document (the language of `council.records/1`) a string `"$email"` stands for the
/// parameter `email`.
public struct NamedQuery: Sendable {
  public var name: String
  public var query: JSON

  public init(_ name: String, _ query: JSON) {
    self.name = name
    self.query = query
  }
}

/// When the records of a collection end: from the instant in a timestamp field on they are gone for every operation, and
/// the host removes them later. A record without a value in the field stays.
///
/// ```swift
/// static let fields: [Field] = [.json("value"), .timestamp("ends_at")]
/// static let expiry: Expiry? = .in("ends_at", after: 3600)
/// ```
///
/// In a document the field takes a timestamp, or a whole number: so many seconds from now.
public struct Expiry: Sendable {
  let field: String
  let seconds: Int64?

  /// `after`: what a document that lacks the field gets, in seconds from now.
  public static func `in`(_ field: String, after seconds: Int64? = nil) -> Expiry {
    Expiry(field: field, seconds: seconds)
  }
}

/// One declared field of a record.
public struct Field: Sendable {
  /// What the host keeps; the manifest spells them like this.
  public enum Kind: String, Sendable {
    case string, integer, number, boolean
    /// RFC 3339 in UTC, kept with milliseconds.
    case timestamp
    /// Any JSON value; can be read, not filtered or ordered by.
    case json
  }

  public let name: String
  public let kind: Kind
  public private(set) var isRequired = false
  public private(set) var isUnique = false
  public private(set) var isIndexed = false
  public private(set) var isSearchable = false
  public private(set) var isEncrypted = false
  public private(set) var defaultValue: JSON?
  public private(set) var summary: String?
  private(set) var example: JSON?
  private(set) var allowed: [String]?
  private(set) var length: ClosedRange<Int>?
  private(set) var minimum: JSON?
  private(set) var maximum: JSON?
  private(set) var pattern: String?

  private init(_ name: String, _ kind: Kind) {
    self.name = name
    self.kind = kind
  }
}

// MARK: - Kinds

extension Field {
  /// Text. `length` counts characters. `pattern` is an ECMA-262 regular expression without anchors of its own;
  /// it goes into the JSON Schemas of bodies, not into the store.
  public static func string(_ name: String, length: ClosedRange<Int>? = nil, pattern: String? = nil) -> Field
  {
    var field = Field(name, .string)
    field.length = length
    field.pattern = pattern
    return field
  }

  /// Text out of a fixed set.
  public static func string(_ name: String, oneOf allowed: [String]) -> Field {
    var field = Field(name, .string)
    field.allowed = allowed
    return field
  }

  /// A whole number of 64 bits.
  public static func integer(_ name: String, atLeast minimum: Int64? = nil, atMost maximum: Int64? = nil)
    -> Field
  {
    var field = Field(name, .integer)
    field.minimum = minimum.map(JSON.integer)
    field.maximum = maximum.map(JSON.integer)
    return field
  }

  /// A double-precision number.
  public static func number(_ name: String, atLeast minimum: Double? = nil, atMost maximum: Double? = nil)
    -> Field
  {
    var field = Field(name, .number)
    field.minimum = minimum.map(JSON.number)
    field.maximum = maximum.map(JSON.number)
    return field
  }

  public static func boolean(_ name: String) -> Field { Field(name, .boolean) }
  public static func timestamp(_ name: String) -> Field { Field(name, .timestamp) }
  public static func json(_ name: String) -> Field { Field(name, .json) }
}

// MARK: - Constraints

extension Field {
  /// A document without this field is refused, unless the field has a default.
  public func required() -> Field { changed { $0.isRequired = true } }

  /// No two records have the same value; a second one is refused with 409 and the field's name.
  public func unique() -> Field { changed { $0.isUnique = true } }

  /// Filters and orders by this field are fast.
  public func indexed() -> Field { changed { $0.isIndexed = true } }

  /// Of text: the words in it are found by `search`.
  public func searchable() -> Field { changed { $0.isSearchable = true } }

  /// Of text: kept encrypted. Found by equality where it is also unique or indexed; never by range, order or search.
  public func encrypted() -> Field { changed { $0.isEncrypted = true } }

  /// Taken where an inserted document lacks the field.
  public func defaulting(to value: JSON) -> Field { changed { $0.defaultValue = value } }

  /// What the field means, for people and models: the `description` in schemas.
  public func described(_ text: String) -> Field { changed { $0.summary = text } }

  /// A value as it might be, for people and models: the `examples` in schemas. Text without an enum should have one.
  public func example(_ value: JSON) -> Field { changed { $0.example = value } }

  private func changed(_ change: (inout Field) -> Void) -> Field {
    var copy = self
    change(&copy)
    return copy
  }
}

// MARK: - Manifest

extension Field {
  var manifest: JSON {
    var members: [JSON.Member] = [.init("name", .string(name)), .init("type", .string(kind.rawValue))]
    if isRequired { members.append(.init("required", true)) }
    if isUnique { members.append(.init("unique", true)) }
    if isIndexed { members.append(.init("indexed", true)) }
    if isSearchable { members.append(.init("searchable", true)) }
    if isEncrypted { members.append(.init("encrypted", true)) }
    if let defaultValue { members.append(.init("default", defaultValue)) }
    if let allowed { members.append(.init("enum", .array(allowed.map(JSON.string)))) }
    if let length {
      members.append(.init("min_length", .integer(Int64(length.lowerBound))))
      members.append(.init("max_length", .integer(Int64(length.upperBound))))
    }
    if let minimum { members.append(.init("minimum", minimum)) }
    if let maximum { members.append(.init("maximum", maximum)) }
    return .object(members)
  }
}

extension Record {
  static var manifest: JSON {
    var members: [JSON.Member] = [
      .init("name", .string(collection)), .init("fields", .array(fields.map(\.manifest))),
    ]
    if !indexes.isEmpty {
      members.append(.init("indexes", .array(indexes.map { .array($0.map(JSON.string)) })))
    }
    if !queries.isEmpty {
      members.append(
        .init("queries", .array(queries.map { ["name": .string($0.name), "query": $0.query] })))
    }
    if let expiry {
      var expires: JSON = ["field": .string(expiry.field)]
      if let seconds = expiry.seconds { expires = expires.with("after_s", .integer(seconds)) }
      members.append(.init("expires", expires))
    }
    return .object(members)
  }
}

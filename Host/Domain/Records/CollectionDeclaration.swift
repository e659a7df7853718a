package import Kernel

/// A collection of records as a plugin declares it: DESIGN, section 7.
package struct CollectionDeclaration: Sendable, Equatable {
  /// `[a-z][a-z0-9_]{0,62}`, unique in the manifest.
  package var name: String
  package var fields: [FieldDeclaration]
  /// Field names of each index, in order; a unique field has one of its own.
  package var indexes: [[String]]
  package var queries: [NamedQueryDeclaration]

  package init(
    name: String, fields: [FieldDeclaration], indexes: [[String]] = [],
    queries: [NamedQueryDeclaration] = []
  ) {
    self.name = name
    self.fields = fields
    self.indexes = indexes
    self.queries = queries
  }
}

package struct FieldDeclaration: Sendable, Equatable {
  package enum FieldType: String, Sendable, CaseIterable {
    case string, integer, number, boolean
    /// RFC 3339 in UTC, kept with milliseconds.
    case timestamp
    /// Any JSON value; can be projected, not filtered or ordered by.
    case json
  }

  /// `[a-z][a-z0-9_]{0,62}`; id, version, created_at and updated_at are the host's own.
  package var name: String
  package var type: FieldType
  package var required: Bool
  package var unique: Bool
  package var indexed: Bool
  /// Taken where an inserted document lacks the field.
  package var defaultValue: JSONValue?
  /// Of a string: the values allowed, and its length in characters.
  package var allowed: [String]?
  package var minLength: Int?
  package var maxLength: Int?
  /// Of a number.
  package var minimum: Double?
  package var maximum: Double?

  package init(
    name: String, type: FieldType, required: Bool = false, unique: Bool = false, indexed: Bool = false,
    defaultValue: JSONValue? = nil, allowed: [String]? = nil, minLength: Int? = nil,
    maxLength: Int? = nil, minimum: Double? = nil, maximum: Double? = nil
  ) {
    self.name = name
    self.type = type
    self.required = required
    self.unique = unique
    self.indexed = indexed
    self.defaultValue = defaultValue
    self.allowed = allowed
    self.minLength = minLength
    self.maxLength = maxLength
    self.minimum = minimum
    self.maximum = maximum
  }
}

/// A query that is compiled when the generation loads. Its document is the query language of
/// ``RecordQuery``; a string value `"$name"` stands for a parameter.
package struct NamedQueryDeclaration: Sendable, Equatable {
  package var name: String
  package var query: JSONValue

  package init(name: String, query: JSONValue) {
    self.name = name
    self.query = query
  }
}

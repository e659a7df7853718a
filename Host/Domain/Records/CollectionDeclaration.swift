package import Kernel

/// A collection of records as a plugin declares it: DESIGN, section 7.
package struct CollectionDeclaration: Sendable, Equatable {
  /// `[a-z][a-z0-9_]{0,62}`, unique in the manifest.
  package var name: String
  package var fields: [FieldDeclaration]
  /// Field names of each index, in order; a unique field has one of its own.
  package var indexes: [[String]]
  package var queries: [NamedQueryDeclaration]
  /// Whether records end by themselves; nil: they stay until they are deleted.
  package var expires: ExpiryDeclaration?
  /// Fields that agents may read without a route, as an MCP resource; none of them is encrypted.
  package var resourceFields: [String]

  package init(
    name: String, fields: [FieldDeclaration], indexes: [[String]] = [],
    queries: [NamedQueryDeclaration] = [], expires: ExpiryDeclaration? = nil, resourceFields: [String] = []
  ) {
    self.name = name
    self.fields = fields
    self.indexes = indexes
    self.queries = queries
    self.expires = expires
    self.resourceFields = resourceFields
  }
}

/// From the instant in its field on, a record is gone for every operation; the host removes it later.
package struct ExpiryDeclaration: Sendable, Equatable {
  /// A declared timestamp field. A record without a value in it stays.
  package var field: String
  /// What a document that lacks the field gets: so many seconds from now.
  package var afterSeconds: Int64?

  /// 100 years: what is longer is a mistake in the unit.
  package static let maxSeconds: Int64 = 3_155_760_000

  package init(field: String, afterSeconds: Int64? = nil) {
    self.field = field
    self.afterSeconds = afterSeconds
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
  /// Of a string: takes part in the collection's full-text search.
  package var searchable: Bool
  /// Of a string: kept encrypted. Compared for equality only, and only where it is unique or indexed.
  package var encrypted: Bool
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
    searchable: Bool = false, encrypted: Bool = false, defaultValue: JSONValue? = nil,
    allowed: [String]? = nil, minLength: Int? = nil,
    maxLength: Int? = nil, minimum: Double? = nil, maximum: Double? = nil
  ) {
    self.name = name
    self.type = type
    self.required = required
    self.unique = unique
    self.indexed = indexed
    self.searchable = searchable
    self.encrypted = encrypted
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

/// One question to a collection, checked and bounded: what a page shows, in which order, from where.
///
/// As JSON: `{"where":{"balance":{"gte":10}},"order":["-created_at"],"limit":20,"after":"<cursor>",
/// "fields":["id","name"]}`. Every member may be left out.
///
/// - `search`: text; a record fits when every word of it stands in one of the searchable fields, as a whole word, whatever
///   the case and the diacritics. Without an `order` the best match comes first.
/// - `where`: field names with a value (equal) or an object of operators, all of which hold; `and` and `or`
///   with an array of filters, `not` with a filter.
/// - `eq`, `ne`, `gt`, `gte`, `lt`, `lte` with a value; `in`, `nin` with an array; `exists` and `null` with
///   true or false; `prefix`, `contains` with text.
/// - Text is compared by code point: upper and lower case differ, and nothing is normalised.
/// - A filter is true or false, never unknown. A missing (null) value equals null only: it fails `eq`, `gt`, `gte`,
///   `lt`, `lte`, `in`, `prefix` and `contains`, and passes `ne`, `nin` and the `not` of those.
/// - Null sorts before every value, false before true, text by code point. `id` always ends the order, in
///   the direction of the field before it.
package struct RecordQuery: Sendable, Equatable {
  package struct Order: Sendable, Equatable {
    package var member: Int
    package var descending: Bool

    package init(member: Int, descending: Bool) {
      self.member = member
      self.descending = descending
    }

    /// How well a record fits the search: a number, the best the smallest. Only as the first of an order.
    package static let rank = Order(member: -1, descending: false)
    package var isRank: Bool { member < 0 }
  }

  /// nil takes every record.
  package var filter: RecordFilter?
  /// The words of a search, each once; empty: none.
  package var words: [[UInt8]]
  /// Never empty; its last member is id.
  package var order: [Order]
  package var limit: Int
  package var after: RecordCursor?
  /// Member positions in the order asked for; nil shows all.
  package var fields: [Int]?

  package init(
    filter: RecordFilter? = nil, words: [[UInt8]] = [], order: [Order], limit: Int,
    after: RecordCursor? = nil, fields: [Int]? = nil
  ) {
    self.filter = filter
    self.words = words
    self.order = order
    self.limit = limit
    self.after = after
    self.fields = fields
  }
}

/// A condition on one record.
package indirect enum RecordFilter: Sendable, Equatable {
  package enum Comparison: UInt8, Sendable {
    case equal, notEqual, greater, greaterOrEqual, less, lessOrEqual
  }

  /// What a field is compared with: a value, or in a named query the place of a parameter.
  package enum Operand: Sendable, Equatable {
    case value(RecordValue)
    case parameter(Int)

    /// The value. Traps when a parameter was not replaced.
    package var value: RecordValue {
      guard case .value(let value) = self else { preconditionFailure("a parameter was not replaced") }
      return value
    }
  }

  /// The value is never null: that is ``isNull(_:_:)``.
  case compare(Int, Comparison, Operand)
  case isNull(Int, Bool)
  /// Whether the field is, or with `negated` is none, of the values; none of them is null.
  case oneOf(Int, [Operand], negated: Bool)
  case prefix(Int, Operand)
  case contains(Int, Operand)
  /// Never empty.
  case all([RecordFilter])
  /// Never empty.
  case any([RecordFilter])
  case not(RecordFilter)
}

/// The smallest text that is above every text with this prefix, by code point; nil when there is none.
package func upperBound(ofPrefix prefix: [UInt8]) -> [UInt8]? {
  var scalars = Array(String(decoding: prefix, as: UTF8.self).unicodeScalars)
  while let last = scalars.popLast() {
    guard last.value < 0x10FFFF else { continue }
    // Surrogates are no characters: the one after U+D7FF is U+E000.
    let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
    guard let scalar = Unicode.Scalar(next) else { continue }
    scalars.append(scalar)
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return Array(String(text).utf8)
  }
  return nil
}

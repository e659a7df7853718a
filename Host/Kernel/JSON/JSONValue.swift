/// A JSON document as a value, for cold paths: manifests, configuration, admin answers.
package enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  package subscript(key: String) -> JSONValue? {
    if case .object(let members) = self { members[key] } else { nil }
  }
  package var string: String? { if case .string(let text) = self { text } else { nil } }
  package var integer: Int64? { if case .integer(let number) = self { number } else { nil } }
  package var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
  package var array: [JSONValue]? { if case .array(let items) = self { items } else { nil } }
  package var object: [String: JSONValue]? { if case .object(let members) = self { members } else { nil } }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  package init(stringLiteral text: String) { self = .string(text) }
  package init(integerLiteral number: Int64) { self = .integer(number) }
  package init(booleanLiteral flag: Bool) { self = .bool(flag) }
  package init(arrayLiteral items: JSONValue...) { self = .array(items) }
  package init(dictionaryLiteral members: (String, JSONValue)...) {
    self = .object(Dictionary(members) { _, last in last })
  }
}

extension JSONValue {
  /// The value that the bytes spell, at most `maxDepth` levels deep. Of a key that repeats, the last counts.
  package static func parse(
    _ bytes: Span<UInt8>, maxDepth: Int = JSONDocument.defaultMaxDepth
  ) throws(JSONError) -> JSONValue {
    let document = JSONDocument(maxDepth: maxDepth)
    try document.parse(bytes)
    return JSONValue(document.root)
  }

  package init(_ element: borrowing JSONElement) {
    switch element.kind {
    case .null: self = .null
    case .bool(let flag): self = .bool(flag)
    case .integer(let number): self = .integer(number)
    case .unsigned(let number): self = .number(Double(number))
    // A number without a fraction is an integer, however it was written.
    case .double(let number): self = Int64(exactly: number).map { .integer($0) } ?? .number(number)
    case .string: self = .string(element.string ?? "")
    case .array:
      var items: [JSONValue] = []
      var elements = element.elements
      while elements.next() { items.append(JSONValue(elements.value)) }
      self = .array(items)
    case .object:
      var all: [String: JSONValue] = [:]
      var members = element.members
      while members.next() { all[String(members.key)] = JSONValue(members.value) }
      self = .object(all)
    }
  }
}

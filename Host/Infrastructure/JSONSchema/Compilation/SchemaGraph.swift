import Kernel

/// A schema's place: which document, and where in it.
struct SchemaLocation: Hashable {
  var document: Int
  var pointer: String

  func appending(_ token: String) -> SchemaLocation {
    SchemaLocation(document: document, pointer: JSONPointer.appending(token, to: pointer))
  }
}

/// The kinds of values, as bits. A double without a fraction is an integer.
struct KindSet: OptionSet {
  let rawValue: UInt8

  static let object = KindSet(rawValue: 1)
  static let array = KindSet(rawValue: 2)
  static let string = KindSet(rawValue: 4)
  static let null = KindSet(rawValue: 8)
  static let boolean = KindSet(rawValue: 16)
  static let integer = KindSet(rawValue: 32)
  static let fraction = KindSet(rawValue: 64)
  static let number: KindSet = [.integer, .fraction]
  static let all = KindSet(rawValue: 127)

  init(rawValue: UInt8) { self.rawValue = rawValue }

  init?(named name: String) {
    switch name {
    case "object": self = .object
    case "array": self = .array
    case "string": self = .string
    case "null": self = .null
    case "boolean": self = .boolean
    case "integer": self = .integer
    case "number": self = .number
    default: return nil
    }
  }

  /// As a sentence needs it: `string or null`.
  var text: String {
    var names: [String] = []
    if contains(.object) { names.append("object") }
    if contains(.array) { names.append("array") }
    if contains(.string) { names.append("string") }
    if contains(.number) { names.append("number") } else if contains(.integer) { names.append("integer") }
    if contains(.boolean) { names.append("boolean") }
    if contains(.null) { names.append("null") }
    return names.joined(separator: " or ")
  }
}

/// One schema as its document states it, checked, with its subschemas by number.
struct SchemaNode {
  struct Dynamic {
    /// Where the reference leads when the dynamic scope says nothing.
    var target: Int
    /// The `$dynamicAnchor` to look for; nil when this is as good as `$ref`.
    var name: String?
  }

  struct Conditional {
    var condition: Int
    var then: Int?
    var otherwise: Int?
  }

  var location: SchemaLocation
  var resource: Int
  var kinds = KindSet.all
  /// `const` or `enum`, and which.
  var choices: (values: [JSONValue], keyword: ChoiceKeyword)?
  /// The other one, when a schema has both.
  var moreChoices: (values: [JSONValue], keyword: ChoiceKeyword)?

  var numbers: NumberRules?
  var minLength: Int?
  var maxLength: Int?
  var pattern: Int?
  var format: Format?

  var minItems: Int?
  var maxItems: Int?
  var uniqueItems = false
  var prefixItems: [Int] = []
  var items: Int?
  var contains: (node: Int, min: Int, max: Int?)?
  var unevaluatedItems: Int?

  var minProperties: Int?
  var maxProperties: Int?
  var properties: [String: Int] = [:]
  var patternProperties: [(pattern: Int, node: Int)] = []
  var additionalProperties: Int?
  var propertyNames: Int?
  var required: [String] = []
  var dependentRequired: [(name: String, names: [String])] = []
  var dependentSchemas: [(name: String, node: Int)] = []
  var unevaluatedProperties: Int?

  var reference: Int?
  var dynamic: Dynamic?
  var allOf: [Int] = []
  var anyOf: [Int] = []
  var oneOf: [Int] = []
  var not: Int?
  var conditional: Conditional?

  init(location: SchemaLocation, resource: Int) {
    self.location = location
    self.resource = resource
  }
}

enum ChoiceKeyword: UInt8 {
  case const, `enum`
}

/// All the schemas that a root reaches.
struct SchemaGraph {
  /// Numbers of the schemas `true` and `false`.
  static let anything = 0
  static let nothing = 1

  var nodes: [SchemaNode] = []
  var root = 0
  var patterns = PatternTable()
  /// As they were written, for messages.
  var patternTexts: [String] = []
  /// Which schema each resource has for each `$dynamicAnchor` that a `$dynamicRef` looks for.
  var dynamicAnchors: [String: [(resource: Int, node: Int)]] = [:]
}

extension KindSet {
  init(of value: JSONValue) {
    switch value {
    case .null: self = .null
    case .bool: self = .boolean
    case .integer: self = .integer
    case .number(let number): self = number.rounded(.towardZero) == number ? .integer : .fraction
    case .string: self = .string
    case .array: self = .array
    case .object: self = .object
    }
  }
}

import Application
import Kernel
import Testing

/// The rules of strict mode, one by one.
struct StrictSchemaTests {
  private func object(_ properties: JSONValue, required: [String] = []) -> JSONValue {
    var schema: [String: JSONValue] = [
      "type": "object", "properties": properties, "additionalProperties": false,
    ]
    if !required.isEmpty { schema["required"] = .array(required.map(JSONValue.string)) }
    return .object(schema)
  }

  /// What a required property becomes.
  private func property(_ schema: JSONValue) -> JSONValue? {
    StrictSchema(object(["p": schema], required: ["p"])).schema?["properties"]?["p"]
  }

  private func optional(_ schema: JSONValue) -> JSONValue? {
    StrictSchema(object(["p": schema])).schema?["properties"]?["p"]
  }

  private func obstacle(_ schema: JSONValue) -> StrictSchema.Obstacle? {
    let strict = StrictSchema(schema)
    #expect((strict.schema == nil) == !strict.obstacles.isEmpty)
    return strict.obstacles.first
  }

  // MARK: Objects

  @Test func closesEveryObjectAndRequiresEveryProperty() {
    let schema: JSONValue = [
      "type": "object",
      "properties": ["a": ["type": "object", "properties": ["b": ["type": "integer"]]]],
      "required": ["a"],
    ]
    #expect(
      StrictSchema(schema).schema == [
        "type": "object", "additionalProperties": false, "required": ["a"],
        "properties": [
          "a": [
            "type": "object", "additionalProperties": false, "required": ["b"],
            "properties": ["b": ["type": ["integer", "null"]]],
          ]
        ],
      ])
  }

  @Test func takesAnObjectWithoutProperties() {
    #expect(
      StrictSchema(object([:])).schema == [
        "type": "object", "properties": [:], "required": [], "additionalProperties": false,
      ])
  }

  @Test func refusesARootThatIsNoObject() {
    #expect(obstacle(["type": "array", "items": ["type": "string"]])?.pointer == "")
    #expect(obstacle(["anyOf": [["type": "string"], ["type": "integer"]]]) != nil)
    #expect(obstacle(true) != nil)
  }

  @Test(arguments: [true, ["type": "string"]] as [JSONValue])
  func refusesMembersOfAnyName(_ rule: JSONValue) {
    let open: JSONValue = [
      "type": "object", "properties": ["a": ["type": "string"]], "additionalProperties": rule,
    ]
    #expect(obstacle(object(["p": open]))?.pointer == "/properties/p")
    #expect(obstacle(object(["p": ["type": "object"]]))?.reason.contains("any name") == true)
  }

  @Test func refusesARequirementOfWhatIsNotDescribed() {
    #expect(
      obstacle(object(["a": ["type": "string"]], required: ["b"]))?.reason.contains("'b'") == true)
  }

  @Test func leavesOutWhatMayNotBeThere() {
    #expect(StrictSchema(object(["a": false, "b": ["type": "string"]])).schema?["properties"]?["a"] == nil)
  }

  // MARK: Optional is null

  @Test func anOptionalPropertyTakesNull() {
    #expect(optional(["type": "string"]) == ["type": ["string", "null"]])
    #expect(
      optional(["type": "string", "enum": ["a"]]) == ["type": ["string", "null"], "enum": ["a", .null]])
    #expect(optional(["const": 3]) == ["type": ["integer", "null"], "enum": [3, .null]])
    #expect(
      optional(["type": "array", "items": ["type": "string"]])
        == ["anyOf": [["type": "array", "items": ["type": "string"]], ["type": "null"]]])
    #expect(
      optional(["anyOf": [["type": "string"], ["type": "integer"]]])
        == ["anyOf": [["type": "string"], ["type": "integer"], ["type": "null"]]])
  }

  @Test func aRequiredNullablePropertyStaysWhatItIs() {
    #expect(property(["type": ["string", "null"]]) == ["type": ["string", "null"]])
    #expect(property(["anyOf": [["type": "string"], ["type": "null"]]])?["anyOf"]?.array?.count == 2)
  }

  /// A merge patch removes a member by null: a caller who cannot leave it out would remove it.
  @Test func refusesWhatMayBeAbsentAndNull() {
    let found = obstacle(object(["label": ["type": ["string", "null"]]]))
    #expect(found?.pointer == "/properties/label")
    #expect(found?.kind == .meaning)
  }

  @Test func takesItWhereNullIsTheDefault() {
    #expect(
      optional(["type": ["string", "null"], "default": .null]) == ["type": ["string", "null"]])
  }

  @Test func nullInTheTypeButNotInTheEnumIsNoNull() {
    #expect(property(["type": ["string", "null"], "enum": ["a"]]) == ["type": "string", "enum": ["a"]])
  }

  // MARK: Types

  @Test func splitsTypesIntoAlternativesWithTheirOwnKeywords() {
    #expect(
      property(["type": ["string", "integer"], "minimum": 1, "pattern": "^a", "description": "Both."]) == [
        "anyOf": [["type": "string", "pattern": "^a"], ["type": "integer", "minimum": 1]],
        "description": "Both.",
      ])
  }

  @Test func readsTheTypeOutOfOtherKeywords() {
    #expect(property(["enum": ["a", "b"]])?["type"] == "string")
    #expect(property(["properties": ["a": ["type": "null"]]])?["type"] == "object")
    #expect(property(["items": ["type": "boolean"]])?["type"] == "array")
  }

  @Test(arguments: [true, [:], ["description": "Anything"], ["type": "array"]] as [JSONValue])
  func refusesWhatHasNoType(_ schema: JSONValue) {
    #expect(obstacle(object(["p": schema], required: ["p"]))?.pointer == "/properties/p")
  }

  @Test(arguments: [
    "not", "if", "dependentRequired", "dependentSchemas", "patternProperties", "contains", "propertyNames",
    "prefixItems", "unevaluatedItems",
  ])
  func refusesKeywordsThatNoDescriptionStandsFor(_ keyword: String) {
    let schema = object(["p": ["type": "string", .init(keyword): [:]]], required: ["p"])
    #expect(obstacle(schema)?.pointer == "/properties/p/\(keyword)")
  }

  // MARK: Alternatives and references

  @Test func oneOfBecomesAnyOf() {
    #expect(
      property(["oneOf": [["type": "string"], ["type": "null"]]])
        == ["anyOf": [["type": "string"], ["type": "null"]]])
  }

  @Test func refusesAlternativesThatBeginAlike() {
    let (a, b) = (
      object(["kind": ["const": "a"]]), object(["kind": ["const": "b"], "more": ["type": "string"]])
    )
    #expect(obstacle(object(["p": ["anyOf": [a, b]]]))?.reason.contains("begin") == true)
    let c = object(["a_kind": ["const": "c"]])
    #expect(StrictSchema(object(["p": ["anyOf": [a, c]]], required: ["p"])).schema != nil)
  }

  @Test func refusesKeywordsBesideAlternatives() {
    #expect(
      obstacle(object(["p": ["type": "string", "anyOf": [["minLength": 1], ["const": ""]]]]))?.pointer
        == "/properties/p")
  }

  @Test func putsReferencesInTheirPlaces() {
    let schema: JSONValue = [
      "type": "object", "required": ["from"], "additionalProperties": false,
      "properties": [
        "from": ["$ref": "#/$defs/Money", "description": "Mine."], "to": ["$ref": "#/$defs/Money"],
      ],
      "$defs": ["Money": ["allOf": [["type": "integer", "minimum": 0]], "description": "Cents."]],
    ]
    #expect(
      StrictSchema(schema).schema?["properties"] == [
        "from": ["type": "integer", "minimum": 0, "description": "Mine."],
        "to": ["type": ["integer", "null"], "minimum": 0, "description": "Cents."],
      ])
  }

  @Test func refusesWhatRefersToItself() {
    let schema: JSONValue = [
      "type": "object", "properties": ["tree": ["$ref": "#/$defs/Tree"]], "additionalProperties": false,
      "$defs": [
        "Tree": [
          "type": "object", "properties": ["left": ["$ref": "#/$defs/Tree"]], "additionalProperties": false,
        ]
      ],
    ]
    #expect(obstacle(schema)?.reason.contains("itself") == true)
    #expect(obstacle(object(["p": ["$ref": "#"]]))?.reason.contains("itself") == true)
  }

  @Test(arguments: ["https://example.com/schema", "#/$defs/none", "#anchor", ""])
  func fetchesNothing(_ reference: String) {
    #expect(
      obstacle(object(["p": ["$ref": .string(reference)]]))?.reason.contains("no part of this schema") == true
    )
  }

  @Test func saysThePlaceThatAReferenceLeadsTo() {
    let schema: JSONValue = [
      "type": "object", "properties": ["p": ["$ref": "#/$defs/Open"]], "additionalProperties": false,
      "$defs": ["Open": ["type": "object", "properties": ["x": [:]], "additionalProperties": false]],
    ]
    #expect(obstacle(schema)?.pointer == "/$defs/Open/properties/x")
  }

  // MARK: What goes into the description

  @Test func keepsWhatStrictModeEnforces() {
    let number: JSONValue = ["type": "number", "minimum": 0, "exclusiveMaximum": 9, "multipleOf": 3]
    #expect(property(number) == number)
    let list: JSONValue = ["type": "array", "items": ["type": "string"], "minItems": 1, "maxItems": 9]
    #expect(property(list) == list)
    let text: JSONValue = ["type": "string", "format": "date-time", "pattern": "^(?:a|b)[0-9]+\\.$"]
    #expect(property(text) == text)
  }

  @Test(
    arguments: [
      (["type": "string", "minLength": 1, "maxLength": 9], "1 to 9 characters."),
      (["type": "string", "minLength": 3, "maxLength": 3], "3 characters."),
      (["type": "string", "maxLength": 9], "At most 9 characters."),
      (["type": "string", "minLength": 1], "At least 1 character."),
      (["type": "string", "format": "uri"], "Format: uri."),
      (["type": "string", "pattern": "^(?=a)"], "Pattern: ^(?=a) ."),
      (["type": "string", "pattern": "(a)\\1"], "Pattern: (a)\\1 ."),
      (["type": "string", "pattern": "\\p{L}"], "Pattern: \\p{L} ."),
      (["type": "integer", "default": 20], "Default: 20."),
      (["type": "string", "examples": ["EUR", "USD"]], "Example: \"EUR\"."),
      (["type": "array", "items": ["type": "null"], "uniqueItems": true], "No element twice."),
      (
        ["type": "boolean", "description": "Whether it is", "default": true], "Whether it is. Default: true."
      ),
      (["type": "boolean", "title": "Old", "deprecated": true], "Old. Deprecated."),
    ] as [(JSONValue, String)])
  func saysTheRestInWords(_ schema: JSONValue, _ text: String) {
    let strict = property(schema)
    #expect(strict?["description"]?.string == text)
    for keyword in ["minLength", "maxLength", "default", "examples", "uniqueItems", "title", "deprecated"] {
      #expect(strict?[keyword] == nil)
    }
  }

  @Test func saysHowManyMembersAPatchNeeds() {
    var patch = object(["a": ["type": "string"], "b": ["type": "string"]]).object ?? [:]
    patch["minProperties"] = 1
    #expect(StrictSchema(.object(patch)).schema?["description"]?.string?.contains("At least 1") == true)
    // With a required one, that is so anyway.
    patch["required"] = ["a"]
    #expect(StrictSchema(.object(patch)).schema?["description"] == nil)
  }

  // MARK: Limits

  private func nested(_ depth: Int) -> JSONValue {
    depth == 1
      ? object(["leaf": ["type": "string"]]) : object(["inner": nested(depth - 1)], required: ["inner"])
  }

  @Test func takesFiveLevelsAndNoMore() {
    #expect(StrictSchema(nested(5)).schema != nil)
    #expect(obstacle(nested(6))?.kind == .depth)
    // A list is a level as well.
    let list: JSONValue = ["type": "array", "items": nested(3)]
    #expect(StrictSchema(object(["list": list])).schema != nil)
    #expect(obstacle(object(["list": ["type": "array", "items": nested(4)]]))?.kind == .depth)
  }

  private func wide(_ count: Int, _ schema: JSONValue = ["type": "null"]) -> JSONValue {
    object(.object(Dictionary(uniqueKeysWithValues: (0..<count).map { ("p\($0)", schema) })))
  }

  @Test func takesFiveThousandPropertiesAndNoMore() {
    var limits = StrictSchema.Limits()
    limits.characters = 1_000_000
    #expect(StrictSchema(wide(5000), limits: limits).schema != nil)
    #expect(StrictSchema(wide(5001), limits: limits).obstacles.first?.kind == .size)
    // All objects count together.
    let two = object(["a": wide(2500), "b": wide(2498)], required: ["a", "b"])
    #expect(StrictSchema(two, limits: limits).schema != nil)
    let more = object(["a": wide(2500), "b": wide(2499)], required: ["a", "b"])
    #expect(StrictSchema(more, limits: limits).obstacles.first?.kind == .size)
  }

  private func choices(_ count: Int, length: Int = 1) -> JSONValue {
    let pad = String(repeating: "x", count: length)
    return ["enum": .array((0..<count).map { .string(String("\($0)\(pad)".prefix(length))) })]
  }

  @Test func takesAThousandValuesOfEnumsAndNoMore() {
    let numbers: (Int) -> JSONValue = { ["enum": .array((0..<$0).map { .integer(Int64($0)) })] }
    #expect(property(numbers(1000)) != nil)
    #expect(obstacle(object(["p": numbers(1001)]))?.kind == .size)
    #expect(
      StrictSchema(object(["a": numbers(500), "b": numbers(500)], required: ["a", "b"])).schema != nil)
    #expect(obstacle(object(["a": numbers(500), "b": numbers(501)], required: ["a", "b"]))?.kind == .size)
  }

  @Test func aLargeEnumTakesFifteenThousandCharactersAndNoMore() {
    #expect(property(choices(300, length: 50)) != nil)
    #expect(obstacle(object(["p": choices(300, length: 51)]))?.kind == .size)
    // Up to 250 values, the characters do not count.
    #expect(property(choices(250, length: 100)) != nil)
  }

  @Test func takesAHundredAndTwentyThousandCharactersAndNoMore() {
    func described(_ length: Int) -> JSONValue {
      object(["p": ["type": "string", "description": .string(String(repeating: "é", count: length))]])
    }
    let frame = JSON.text(StrictSchema(described(1)).schema ?? .null).unicodeScalars.count - 1
    #expect(StrictSchema(described(120_000 - frame)).schema != nil)
    #expect(obstacle(described(120_001 - frame))?.kind == .size)
  }

  /// Forty definitions of which each names the next one twice would be a million million parts.
  @Test func isNotBlownUpByReferences() {
    var definitions: [String: JSONValue] = [:]
    for number in 0..<30 {
      let next: JSONValue = ["$ref": .string("#/$defs/d\(number + 1)")]
      definitions["d\(number)"] = ["anyOf": [next, next]]
    }
    definitions["d30"] = ["type": "string"]
    let schema: JSONValue = [
      "type": "object", "properties": ["p": ["$ref": "#/$defs/d0"]], "additionalProperties": false,
      "$defs": .object(definitions),
    ]
    #expect(obstacle(schema)?.kind == .size)
  }

  @Test func listsAtMostTwentyObstacles() {
    #expect(StrictSchema(wide(50, true)).obstacles.count == 20)
  }

  @Test(arguments: [
    ("a", true), ("accounts_get-account", true), (String(repeating: "n", count: 64), true), ("", false),
    (String(repeating: "n", count: 65), false), ("a.b", false), ("é", false), ("a b", false),
  ])
  func names(_ name: String, _ isName: Bool) {
    #expect(StrictSchema.isName(name) == isName)
  }
}

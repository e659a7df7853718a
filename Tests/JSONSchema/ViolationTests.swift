import Application
import Kernel
import Testing

@testable import JSONSchema

/// Where violations point, and what they say.
@Suite struct ViolationTests {
  private let account = """
    {"type": "object", "additionalProperties": false, "required": ["name", "email"], "properties": {
      "name": {"type": "string", "minLength": 1, "maxLength": 5},
      "email": {"type": "string", "format": "email"},
      "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
      "balance": {"type": "integer", "minimum": 0},
      "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2}}}
    """

  @Test func findsNothingInAValidDocument() throws {
    #expect(try violations(account, #"{"name":"Ada","email":"a@b.example","balance":0,"tags":["a"]}"#) == [])
  }

  @Test func saysEverythingAtOnceInDocumentOrder() throws {
    let found = try outline(
      account, #"{"name":"","currency":"eur","balance":-1,"tags":["a","x",3],"nick":1}"#)
    #expect(
      found == [
        "/name minLength", "/currency pattern", "/balance minimum", "/tags maxItems", "/tags/1 enum",
        "/tags/2 enum",
        "/nick additionalProperties", " required",
      ])
  }

  @Test func namesWhatIsExpected() throws {
    let found = try violations(account, #"{"name":7,"mail":"x","balance":1.5,"email":"no"}"#)
    #expect(
      found.map(\.message) == [
        "must be string, is integer",
        #"the property "mail" is not allowed; known are "balance", "currency", "email", "name", "tags""#,
        "must be integer, is a number with a fraction", "must be an email address, like name@example.com",
      ])
  }

  @Test func neverQuotesValues() throws {
    for found in try violations(account, #"{"name":"secret-secret","email":"secret","currency":"secret"}"#) {
      #expect(!found.message.contains("secret"))
    }
  }

  @Test func stopsAtTheLimit() throws {
    let document = #"{"name":"","currency":"eur","balance":-1}"#
    #expect(try violations(account, document, limit: 1).count == 1)
    #expect(try violations(account, document, limit: 3).count == 3)
    #expect(try violations(account, document, limit: 100).count == 4)
  }

  @Test func escapesPointers() throws {
    #expect(
      try outline(#"{"additionalProperties": {"items": {"type": "null"}}}"#, #"{"a/b~c":[null,1],"":[2]}"#)
        == [
          "/a~1b~0c/1 type", "//0 type",
        ])
  }

  @Test func pointsIntoTheDocumentThatItWasGiven() throws {
    let schema = try compile(#"{"items": {"type": "null"}}"#)
    let document = JSONDocument()
    try document.parse(Array(#"{"a": {"b": [null, 1]}}"#.utf8).span)
    let inner = document.root.member("a".utf8.span)!.member("b".utf8.span)!
    #expect(schema.validate(inner, limit: 5).map(\.pointer) == ["/1"])
  }

  @Test func reportsANameAtTheNamedMember() throws {
    let found = try violations(#"{"propertyNames": {"maxLength": 2}}"#, #"{"ab":1,"abc":2}"#)
    #expect(found.map(\.keyword) == ["maxLength", "propertyNames"])
    #expect(found.map(\.pointer) == ["/abc", "/abc"])
  }

  @Test func explainsTheNearestAlternative() throws {
    let schema = """
      {"oneOf": [
        {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "card"}, "number": {"type": "string"}}},
        {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "cash"}, "amount": {"type": "integer"}}},
        {"type": "null"}]}
      """
    #expect(try outline(schema, #"{"kind":"cash","amount":"7"}"#) == [" oneOf", "/amount type"])
    #expect(try outline(schema, #"{"kind":"card","number":7}"#) == [" oneOf", "/number type"])
    #expect(try isValid(schema, "null"))
  }

  @Test func saysWhichAlternativesBothMatch() throws {
    let found = try violations(#"{"oneOf": [{"type": "string"}, {"minimum": 1}, {"maximum": 9}]}"#, "5")
    #expect(found.map(\.message) == ["matches alternatives 2 and 3 of 3, and must match exactly one"])
  }

  @Test func reportsEachViolationOnce() throws {
    let schema =
      ##"{"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "null"}}}"##
    #expect(try outline(schema, "1") == [" type"])
  }

  @Test func reportsAPropertyThatNoSchemaKnows() throws {
    let schema =
      #"{"allOf": [{"properties": {"a": true}}], "properties": {"b": true}, "unevaluatedProperties": false}"#
    #expect(try outline(schema, #"{"a":1,"b":2,"c":3}"#) == ["/c unevaluatedProperties"])
  }
}

/// Keys that occur twice.
@Suite struct DuplicateKeyTests {
  @Test func areAViolationAnywhere() throws {
    #expect(try outline("true", #"{"a":1,"b":{"c":[{"x":1,"y":2,"x":3}]}}"#) == ["/b/c/0/x duplicate_key"])
    #expect(try outline("true", #"{"a":1,"b":2}"#) == [])
    #expect(try outline("true", "[]") == [])
  }

  @Test func areComparedUnescaped() throws {
    #expect(try outline("true", #"{"a":1,"\u0061":2}"#) == ["/a duplicate_key"])
  }

  @Test func areNotMistakenForOthersThatBeginAlike() throws {
    #expect(try isValid("true", #"{"abcd":1,"abcde":2,"abcdf":3,"abcd1":4,"":5,"a":6,"ab":7}"#))
    #expect(try outline("true", #"{"abcde1":1,"abcde2":2,"abcde1":3}"#) == ["/abcde1 duplicate_key"])
  }

  /// Both sides of the place where the search changes from pairs to a table.
  @Test(arguments: [7, 8, 9, 100, 5000]) func areFoundInObjectsOfAnySize(count: Int) throws {
    var names = (0..<count).map { "\"key\($0)\":\($0)" }
    #expect(try isValid("true", "{\(names.joined(separator: ","))}"))
    names[count - 1] = "\"key\(count / 2)\":0"
    #expect(try outline("true", "{\(names.joined(separator: ","))}") == ["/key\(count / 2) duplicate_key"])
  }

  @Test func doNotSatisfyAConstantObject() throws {
    #expect(try !isValid(#"{"const": {"a": 1, "b": 2}}"#, #"{"a":1,"a":1}"#))
    #expect(try !isValid(#"{"not": {"const": {"a": 1}}}"#, #"{"a":1,"a":1}"#))
  }

  @Test func areListedBesideOtherViolations() throws {
    #expect(try outline(#"{"required": ["b"]}"#, #"{"a":1,"a":2}"#) == ["/a duplicate_key", " required"])
  }
}

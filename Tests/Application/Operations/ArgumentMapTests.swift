import Domain
import Kernel
import Testing

@testable import Application

@Suite struct ArgumentMapTests {
  private func map(_ route: String, root: String = "/things") throws -> (ArgumentMap, RouteDeclaration) {
    let manifest = try Manifest.parse(
      Array(#"{"id":"things","version":"1","routes":[{"operation":"act",\#(route)}]}"#.utf8))
    let declaration = manifest.routes[0]
    return (ArgumentMap(declaration, try RoutePattern.parse(declaration.path).get(), root: root), declaration)
  }

  private func request(_ map: ArgumentMap, _ arguments: String) throws(Problem) -> (
    target: String, body: String
  ) {
    let document = JSONDocument()
    do throws(JSONError) { try document.parse(arguments.utf8.span) } catch { preconditionFailure("\(error)") }
    let (target, body) = (Arena(capacity: 16), Arena(capacity: 16))
    try map.write(document.root, target: target, body: body)
    return (String(target.span(target.all)), String(body.span(body.all)))
  }

  private func code(_ map: ArgumentMap, _ arguments: String) -> String? {
    do throws(Problem) {
      _ = try request(map, arguments)
      return nil
    } catch { return error.code }
  }

  @Test func pathQueryAndBodyBecomeOneObject() throws {
    let (map, _) = try map(
      #""method":"PATCH","path":"/{id}/parts/{part}","path_parameters":{"type":"object","properties":{"id":{"type":"string"},"part":{"type":"integer"}}},"#
        + #""query":{"type":"object","properties":{"tag":{"type":"array","items":{"type":"string"}},"deep":{"type":"boolean"}},"required":["deep"]},"#
        + #""body":{"type":"object","properties":{"name":{"type":"string"},"size":{"type":"number"}},"required":["name"],"additionalProperties":false}"#
    )
    #expect(
      map.schema["required"] == ["id", "part", "deep", "name"] && map.schema["additionalProperties"] == false)
    #expect(
      Set((map.schema["properties"]?.object ?? [:]).keys)
        == ["id", "part", "tag", "deep", "name", "size", "idempotency_key"])
    #expect(map.schema["properties"]?["part"]?["type"] == "integer")
    let made = try request(
      map, #"{"name":"a \"b\"","id":"x/ü ?","part":7,"tag":["1","a&b"],"deep":true,"size":-1.5}"#)
    #expect(made.target == "/things/x%2F%C3%BC%20%3F/parts/7?tag=1&tag=a%26b&deep=true")
    #expect(made.body == #"{"name":"a \"b\"","size":-1.5}"#)
  }

  @Test func aBodyThatIsNoPlainObjectIsOneArgument() throws {
    for body in [
      #"{"type":"array"}"#, "true", #"{"type":"object","properties":{"a":{}}}"#,
      #"{"type":"object","properties":{"id":{}},"additionalProperties":false}"#,
      #"{"type":"object","properties":{"a":{}},"additionalProperties":false,"anyOf":[{"required":["a"]}]}"#,
    ] {
      let (map, _) = try map(#""method":"PUT","path":"/{id}","body":\#(body)"#)
      #expect(map.schema["required"] == ["id", "body"])
      #expect(try request(map, #"{"id":"1","body":[1,{"a":null}]}"#).body == #"[1,{"a":null}]"#)
    }
    let (map, _) = try map(#""method":"PUT","path":"/{body}","body":true"#)
    #expect(try request(map, #"{"body":"1","request_body":2}"#) == ("/things/1", "2"))
  }

  @Test func referencesIntoDefinitionsStillMeanTheSame() throws {
    let body =
      ##"{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"additionalProperties":false,"##
      + ##""$defs":{"x":{"enum":["$ref"],"items":{"$ref":"#/$defs/x"}}}}"##
    let (map, _) = try map(#""method":"POST","path":"/","body":"# + body)
    #expect(map.schema["properties"]?["a"] == ["$ref": "#/$defs/body_x"])
    #expect(map.schema["$defs"]?["body_x"] == ["enum": ["$ref"], "items": ["$ref": "#/$defs/body_x"]])
    #expect(try request(map, "{}").body == "{}")
  }

  /// Every `$ref` in a schema, and whether something is there.
  private func dangling(_ schema: JSONValue) -> [String] {
    func references(_ value: JSONValue) -> [String] {
      switch value {
      case .object(let members):
        (members["$ref"]?.string.map { [$0] } ?? []) + members.values.flatMap(references)
      case .array(let items): items.flatMap(references)
      default: []
      }
    }
    return references(schema).filter { SchemaReference.resolve($0, in: schema) == nil }
  }

  private func resolved(_ map: ArgumentMap, _ name: String) -> JSONValue? {
    map.schema["properties"]?[name]?["$ref"]?.string.flatMap { SchemaReference.resolve($0, in: map.schema) }
  }

  @Test func eachPartsReferencesLeadIntoItsOwnSchema() throws {
    let (map, _) = try map(
      ##"""
      "method":"POST","path":"/{id}",
      "path_parameters":{"type":"object","properties":{"id":{"$ref":"#/$defs/x"}},"required":["id"],
        "$defs":{"x":{"type":"string","title":"of path"}}},
      "query":{"type":"object","properties":{"a":{"$ref":"#/$defs/x"},"b":{"$ref":"#/definitions/old"},
        "c":{"$ref":"#/properties/a"},"d":{"items":{"$ref":"#"}},"e":{"$ref":"#here"},
        "f":{"$ref":"https://example.com/x#/$defs/x"}},
        "$defs":{"x":{"type":"string","title":"of query"},"y":{"$anchor":"here","type":"string"}},
        "definitions":{"old":{"type":"integer"}}},
      "body":{"type":"object","properties":{"m":{"$ref":"#/$defs/x"},"n":{"items":{"$ref":"#/properties/m"}}},
        "additionalProperties":false,"$defs":{"x":{"type":"string","title":"of body"}}}
      """##)
    #expect(resolved(map, "id")?["title"] == "of path")
    #expect(resolved(map, "a")?["title"] == "of query" && resolved(map, "m")?["title"] == "of body")
    #expect(resolved(map, "b") == ["type": "integer"])
    #expect(resolved(map, "c") == ["$ref": "#/$defs/query_x"])
    #expect(map.schema["properties"]?["d"] == ["items": ["$ref": "#/$defs/query"]])
    #expect(map.schema["$defs"]?["query"]?["properties"]?["b"] == ["$ref": "#/$defs/query/definitions/old"])
    #expect(resolved(map, "e")?["type"] == "string")
    #expect(map.schema["properties"]?["n"] == ["items": ["$ref": "#/$defs/body/properties/m"]])
    #expect(Set(dangling(map.schema)) == ["https://example.com/x#/$defs/x"])
  }

  @Test func aWholeBodyIsItsOwnRoot() throws {
    let (map, _) = try map(
      ##""method":"POST","path":"/","body":{"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#/$defs/t"}},"##
        + ##""$defs":{"t":{"items":{"$ref":"#/properties/b"}}}}"##)
    #expect(
      map.schema["properties"]?["body"]?["properties"] == [
        "a": ["$ref": "#/properties/body"], "b": ["$ref": "#/$defs/body_t"],
      ])
    #expect(map.schema["$defs"] == ["body_t": ["items": ["$ref": "#/properties/body/properties/b"]]])
    #expect(dangling(map.schema).isEmpty)
  }

  /// A property may have the name of a keyword; what stands under the keyword is a value.
  @Test func propertiesNamedAsKeywordsAreSchemas() throws {
    let members = ["default", "const", "enum", "examples", "$ref", "x-mcp-header"]
    let properties = members.map { ##""\##($0)":{"$ref":"#/$defs/x"}"## }.joined(separator: ",")
    let (map, _) = try map(
      ##""method":"POST","path":"/","body":{"type":"object","properties":{\##(properties),"v":{"default":{"$ref":"#/$defs/x"}}},"##
        + ##""additionalProperties":false,"$defs":{"x":{"type":"string"}}}"##)
    for name in members { #expect(map.schema["properties"]?[name] == ["$ref": "#/$defs/body_x"], "\(name)") }
    #expect(map.schema["properties"]?["v"] == ["default": ["$ref": "#/$defs/x"]])
  }

  @Test func queryParametersOfReferencesAndAllOfAreArguments() throws {
    let (map, _) = try map(
      ##"""
      "method":"GET","path":"/","query":{"type":"object","$ref":"#/$defs/paging","allOf":[{"properties":{"q":{"type":"string"}},
       "required":["q"]}],"properties":{"own":{"type":"boolean"}},
       "$defs":{"paging":{"properties":{"limit":{"type":"integer"},"own":{"type":"string"}},"required":["limit"]}}}
      """##)
    #expect(
      map.schema["properties"] == [
        "limit": ["type": "integer"], "q": ["type": "string"], "own": ["type": "boolean"],
      ])
    #expect(map.schema["required"] == ["limit", "q"])
    #expect(try request(map, #"{"q":"x","limit":2}"#).target.hasSuffix("?q=x&limit=2"))
    #expect(map.places["limit"] == .query("limit"))
  }

  /// A client of MCP would send such an argument as a header, too, which nothing here compares with it.
  @Test func noArgumentIsMirroredIntoAHeader() throws {
    let (map, _) = try map(
      #"""
      "method":"POST","path":"/","query":{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"}}},
       "body":{"type":"object","properties":{"b":{"type":"object","$id":"urn:b","properties":{"c":{"type":"string","x-mcp-header":"C"}}}},
        "additionalProperties":false}
      """#)
    #expect(!JSON.text(map.schema).contains("x-mcp-header"))
    #expect(map.schema["properties"]?["b"]?["properties"]?["c"] == ["type": "string"])
  }

  @Test func aQueryParameterOfTheSameNameAsThePathsGetsAnother() throws {
    let (map, _) = try map(
      #""method":"GET","path":"/{id}","query":{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}"#
    )
    #expect(map.schema["required"] == ["id", "query_id"])
    #expect(try request(map, #"{"id":1,"query_id":2}"#).target == "/things/1?id=2")
  }

  @Test func whatIsWantedOfAnAnswerIsAnArgumentToo() throws {
    let list =
      #""query":{"type":"object","properties":{"after":{"type":"string"},"limit":{"type":"integer"}}},"response":{"type":"object","properties":{"items":{"type":"array"},"next":{}}}"#
    let (lists, _) = try map(#""method":"GET","path":"/",\#(list)"#)
    #expect(
      Set((lists.schema["properties"]?.object ?? [:]).keys) == ["after", "limit", "fields", "max_tokens"])
    #expect(lists.schema["required"] == nil)
    #expect(
      try request(lists, #"{"fields":"id,name","max_tokens":500,"max_chars":64,"max_bytes":100}"#).target
        == "/things/?fields=id%2Cname&max_tokens=500&max_chars=64&max_bytes=100")
    // Of one thing, only its fields; of a write nothing is offered, and all of it taken.
    let (one, _) = try map(#""method":"GET","path":"/{id}","response":{"type":"object"}"#)
    #expect(Set((one.schema["properties"]?.object ?? [:]).keys) == ["id", "fields"])
    let (write, _) = try map(
      #""method":"DELETE","path":"/{id}","idempotency":"none","response":{"type":"object"}"#)
    #expect(Set((write.schema["properties"]?.object ?? [:]).keys) == ["id"])
    #expect(try request(write, #"{"id":"1","fields":["a","b"]}"#).target == "/things/1?fields=a&fields=b")
    // A route's own argument of that name is the route's.
    let (own, _) = try map(
      #""method":"PUT","path":"/{id}","body":{"type":"object","properties":{"fields":{}},"additionalProperties":false}"#
    )
    #expect(try request(own, #"{"id":"1","fields":7}"#) == ("/things/1", #"{"fields":7}"#))
  }

  @Test func whatMakesAWriteSafeIsAnArgumentToo() throws {
    func offered(_ route: String) throws -> [String] {
      let (map, _) = try self.map(route)
      let required = map.schema["required"]?.array ?? []
      return (map.schema["properties"]?.object ?? [:]).keys.sorted().map {
        required.contains(.string($0)) ? $0 + "!" : $0
      }
    }
    let changed = #""errors":[{"status":412,"code":"things.changed"}]"#
    #expect(try offered(#""method":"POST","path":"/""#) == ["idempotency_key"])
    #expect(try offered(#""method":"POST","path":"/","idempotency":"required""#) == ["idempotency_key!"])
    #expect(try offered(#""method":"POST","path":"/","idempotency":"none""#) == [])
    #expect(try offered(#""method":"GET","path":"/",\#(changed)"#) == [])
    // A POST makes something that has no version yet.
    #expect(try offered(#""method":"POST","path":"/",\#(changed)"#) == ["idempotency_key"])
    #expect(
      try offered(#""method":"DELETE","path":"/","confirm":true,"dry_run":true,\#(changed)"#)
        == ["confirm", "dry_run", "idempotency_key", "if_match"])
    // What is not offered is taken all the same.
    let (map, _) = try map(#""method":"PUT","path":"/""#)
    #expect(
      try request(map, #"{"if_match":3,"dry_run":true,"idempotency_key":"k"}"#).target
        == "/things/?if_match=3&dry_run=true&idempotency_key=k")
    #expect(try request(map, #"{"idempotency_key":null}"#).target == "/things/")
    #expect(code(map, #"{"confirm":"x"}"#) == "call.argument_unknown")
  }

  @Test func saysWhatIsWrongWithArguments() throws {
    let (map, _) = try map(
      #""method":"GET","path":"/{id}","query":{"type":"object","properties":{"q":{"type":"string"}}}"#)
    #expect(code(map, "[]") == "call.arguments_invalid")
    #expect(code(map, "{}") == "call.argument_missing")
    #expect(code(map, #"{"id":""}"#) == "call.argument_invalid")
    #expect(code(map, #"{"id":null}"#) == "call.argument_invalid")
    #expect(code(map, #"{"id":{}}"#) == "call.argument_invalid")
    #expect(code(map, #"{"id":"1","nope":1}"#) == "call.argument_unknown")
    #expect(code(map, #"{"id":"1","q":"a","q":"b"}"#) == "call.argument_invalid")
    #expect(code(map, #"{"id":"1","q":{"a":1}}"#) == "call.argument_invalid")
    // What has no value is left out.
    #expect(try request(map, #"{"id":"1","q":null}"#).target == "/things/1")
    #expect(try request(map, #"{"id":"1","q":1e300}"#).target == "/things/1?q=1e%2B300")
    #expect(try request(map, #"{"id":18446744073709551615}"#).target == "/things/18446744073709551615")
  }
}

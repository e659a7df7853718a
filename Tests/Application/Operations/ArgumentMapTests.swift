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
      Set((map.schema["properties"]?.object ?? [:]).keys) == ["id", "part", "tag", "deep", "name", "size"])
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
    let (write, _) = try map(#""method":"DELETE","path":"/{id}","response":{"type":"object"}"#)
    #expect(Set((write.schema["properties"]?.object ?? [:]).keys) == ["id"])
    #expect(try request(write, #"{"id":"1","fields":["a","b"]}"#).target == "/things/1?fields=a&fields=b")
    // A route's own argument of that name is the route's.
    let (own, _) = try map(
      #""method":"PUT","path":"/{id}","body":{"type":"object","properties":{"fields":{}},"additionalProperties":false}"#
    )
    #expect(try request(own, #"{"id":"1","fields":7}"#) == ("/things/1", #"{"fields":7}"#))
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

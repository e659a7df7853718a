import Application
import Kernel
import Testing

@testable import MCP

/// Mutations of good messages: each gets a well-formed answer, and none is the host's fault.
@Suite struct FuzzTests {
  private static let seeds = [
    MCPSite.message("tools/call", #""name":"things_get_thing","arguments":{"id":"7"}"#),
    MCPSite.message("tools/call", #""name":"things_create_thing","arguments":{"name":"xyz"}"#),
    MCPSite.message("tools/list", #""cursor":"MWE""#),
    MCPSite.message("resources/read", #""uri":"council://things/shelf/k""#),
    MCPSite.message("server/discover", ""),
    #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}"#,
    #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    #"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
  ]
  private static let pieces = [
    "{", "}", "[", "]", "\"", ",", ":", "null", "1e999", "\\u0000", "\\ud800", "\u{0}", "id", "\"id\":2,",
    "true",
    "-0", "99999999999999999999", "\u{feff}", "_meta",
  ]

  @Test(arguments: 0..<8)
  func survivesEveryMutation(seed: Int) {
    let site = MCPSite()
    var state = UInt64(seed) &+ 77
    func next() -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33)
    }
    for _ in 0..<1500 {
      var bytes = Array(FuzzTests.seeds[next() % FuzzTests.seeds.count].utf8)
      for _ in 0...(next() % 5) {
        let place = next() % bytes.count
        switch next() % 4 {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: next())
        case 1 where bytes.count > 1: bytes.remove(at: place)
        case 2: bytes.insert(contentsOf: FuzzTests.pieces[next() % FuzzTests.pieces.count].utf8, at: place)
        default:
          bytes.insert(contentsOf: bytes[place..<min(place + 12, bytes.count)], at: next() % bytes.count)
        }
      }
      let method = ["tools/call", "tools/list", "resources/read", "server/discover"][next() % 4]
      let headers =
        next() % 4 == 0
        ? [] : MCPSite.routing(method, ["things_get_thing", "council://things/shelf/k"][next() % 2])
      let answer = site.post(bytes, key: site.writer, headers: headers)
      #expect(answer.status < 500, "\(String(decoding: bytes, as: UTF8.self)) \(answer)")
      if answer.status == 202 {
        #expect(answer.body.isEmpty)
      } else {
        let json = answer.json
        #expect(json?["jsonrpc"] == "2.0" && json?.object?["id"] != nil, "\(answer)")
        #expect((json?["result"] == nil) != (json?["error"] == nil), "\(answer)")
      }
    }
  }
}

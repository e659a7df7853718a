import Application
import Doubles
import Kernel
import Testing

@testable import MCP

/// Who is let in, and what those learn who are not.
@Suite struct AccessTests {
  /// With an authorization server.
  private static var withServer: HostConfiguration.MCP {
    var settings = HostConfiguration.MCP()
    settings.authorizationServers = ["https://login.example.com"]
    return settings
  }

  @Test func withoutAKeyAClientLearnsWhereTokensComeFrom() {
    let site = MCPSite(AccessTests.withServer)
    let answer = site.modern("tools/list", key: nil, headers: [("host", "api.test:8080")])
    #expect(answer.status == 401 && answer.error == 401, "\(answer)")
    #expect(
      answer.header("WWW-Authenticate")
        == "Bearer realm=\"council\", scope=\"things:purge things:read things:watch things:write\", resource_metadata=\"http://api.test:8080/.well-known/oauth-protected-resource/mcp\""
    )
    let wrong = site.modern("tools/list", key: "ck_wrong", headers: [("host", "api.test")])
    #expect(
      wrong.status == 401
        && wrong.header("WWW-Authenticate")?.contains(
          "error=\"invalid_token\", scope=\"things:purge things:read things:watch things:write\", ") == true
    )
    #expect(wrong.json?["error"]?["data"]?["code"] == "access.key_unknown")
  }

  @Test func theScopesToLogInForHaveALimit() throws {
    func challenge(_ site: MCPSite) throws -> String {
      let answer = site.modern("tools/list", key: nil)
      #expect(answer.status == 401)
      return try #require(answer.header("WWW-Authenticate"))
    }
    func manifest(_ scopes: [String]) -> String {
      let routes = scopes.enumerated().map {
        #"{"method":"GET","path":"/r\#($0.offset)","operation":"r\#($0.offset)","scope":"\#($0.element)"}"#
      }
      return #"{"id":"things","version":"1","routes":[\#(routes.joined(separator: ","))]}"#
    }
    // Each with its blank has 32 bytes: 32 of them have 1023.
    let scopes = (100..<140).map { "things:" + String(repeating: "x", count: 21) + "\($0)" }
    let many = try challenge(MCPSite(AccessTests.withServer, manifest: manifest(scopes)))
    #expect(
      many.contains("scope=\"\(scopes.prefix(32).joined(separator: " "))\", resource_metadata="), "\(many)")
    // Whoever must not read them in the metadata does not read them here.
    let hidden = try challenge(MCPSite(AccessTests.withServer, showsScopes: false))
    #expect(!hidden.contains("scope=") && hidden.contains("resource_metadata="))
    let none = try challenge(
      MCPSite(
        AccessTests.withServer,
        manifest:
          #"{"id":"things","version":"1","routes":[{"method":"GET","path":"/","operation":"x","public":true}]}"#
      ))
    #expect(!none.contains("scope="))
  }

  /// Metadata without an authorization server is malformed to a client of MCP.
  @Test func whereTokensComeFromNowhereNoClientIsSentToLookForThem() {
    let site = MCPSite()
    let answer = site.modern("tools/list", key: nil)
    #expect(
      answer.status == 401 && answer.header("WWW-Authenticate") == "Bearer realm=\"council\"", "\(answer)")
    let refused = site.call("things_create_thing", #"{"name":"xx"}"#, key: site.reader)
    #expect(
      refused.header("WWW-Authenticate")
        == "Bearer realm=\"council\", error=\"insufficient_scope\", scope=\"things:write\"", "\(refused)")
  }

  @Test(arguments: ["a\"b", "a b", "", "a\\b", "\u{e9}"])
  func aStrangeHostHeaderStaysOutOfTheAnswer(host: String) {
    let site = MCPSite(AccessTests.withServer)
    let answer = site.modern("tools/list", key: nil, headers: [("host", host)])
    #expect(
      answer.header("WWW-Authenticate")?.contains("\"http://localhost/.well-known") == true, "\(answer)")
  }

  @Test func aKeyWithoutTheScopeIsToldWhichOne() {
    let site = MCPSite(AccessTests.withServer)
    let answer = site.call("things_create_thing", #"{"name":"xx"}"#, key: site.reader)
    #expect(answer.status == 403 && answer.error == 403, "\(answer)")
    let challenge = answer.header("WWW-Authenticate") ?? ""
    #expect(challenge.contains("error=\"insufficient_scope\", scope=\"things:write\", resource_metadata="))
    #expect(site.audit.rows.last?.status == 403)
  }

  @Test func callersWithoutAKeyHavePublicToolsWhereThatIsSet() {
    var settings = HostConfiguration.MCP()
    settings.takesAnonymous = true
    let site = MCPSite(settings)
    let list = site.modern("tools/list", key: nil)
    #expect(list.result?["tools"]?.array?.map { $0["name"] } == ["things_open_door"], "\(list)")
    #expect(site.call("things_open_door", key: nil).status == 200)
    let refused = site.call("things_get_thing", #"{"id":"1"}"#, key: nil)
    #expect(refused.status == 401, "\(refused)")
    #expect(refused.header("WWW-Authenticate")?.contains("scope=\"things:read\"") == true)
    // A wrong key is no missing key.
    #expect(site.call("things_open_door", key: "ck_wrong").status == 401)
  }

  @Test func metadataNamesTheResource() {
    var settings = HostConfiguration.MCP()
    let plain = MCPSite(settings)
    let answer = plain.send(
      "GET", "/.well-known/oauth-protected-resource/mcp", headers: [("host", "localhost:9")])
    #expect(answer.status == 200 && answer.json?["resource"] == "http://localhost:9/mcp", "\(answer)")
    #expect(answer.json?["authorization_servers"] == nil)
    #expect(
      answer.json?["scopes_supported"] == ["things:purge", "things:read", "things:watch", "things:write"])
    #expect(answer.json?["bearer_methods_supported"] == ["header"])
    settings.authorizationServers = ["https://login.example.com"]
    let named = MCPSite(settings, serverURL: "https://api.example.com/", showsScopes: false)
    let root = named.send("GET", "/.well-known/oauth-protected-resource")
    #expect(root.json?["resource"] == "https://api.example.com", "\(root)")
    #expect(root.json?["scopes_supported"] == nil)
    #expect(root.json?["authorization_servers"] == ["https://login.example.com"])
    #expect(named.send("POST", "/.well-known/oauth-protected-resource").status == 405)
  }

  // MARK: Pages

  @Test func pagesMayNotCallUnlessTheirOriginIsAllowed() {
    let site = MCPSite()
    for origin in ["https://evil.example", "http://localhost:8080", "null", ""] {
      let answer = site.modern("tools/list", key: site.reader, headers: [("origin", origin)])
      #expect(answer.status == 403 && answer.error == 403, "\(answer)")
      #expect(answer.header("Access-Control-Allow-Origin") == nil)
    }
    #expect(site.modern("tools/list", key: site.reader).status == 200)
    #expect(site.send("OPTIONS", "/mcp").header("Access-Control-Allow-Methods") == nil)
  }

  @Test func anAllowedPageMayReadWhatItGets() {
    var settings = HostConfiguration.MCP()
    settings.origins = ["https://app.example"]
    let site = MCPSite(settings)
    let mine = [("origin", "https://app.example")]
    for answer in [
      site.modern("tools/list", key: site.reader, headers: mine),
      site.modern(
        "tools/call", #""name":"things_open_door""#, name: "things_open_door", key: site.reader, headers: mine
      ),
      site.modern("tools/list", key: nil, headers: mine),
      site.send("OPTIONS", "/mcp", headers: mine + [("access-control-request-method", "POST")]),
    ] {
      #expect(answer.header("Access-Control-Allow-Origin") == "https://app.example", "\(answer)")
      #expect(answer.header("Vary") == "Origin")
    }
    let preflight = site.send("OPTIONS", "/mcp", headers: mine)
    #expect(
      preflight.status == 204 && preflight.header("Access-Control-Allow-Methods") == "GET, POST",
      "\(preflight)")
    for other in ["https://app.example.evil", "https://app.exampl", "http://app.example"] {
      let answer = site.modern("tools/list", key: site.reader, headers: [("origin", other)])
      #expect(answer.status == 403, "\(answer)")
      #expect(
        site.send("OPTIONS", "/mcp", headers: [("origin", other)]).header("Access-Control-Allow-Origin")
          == nil)
    }
    // Twice is not once.
    #expect(site.modern("tools/list", key: site.reader, headers: mine + mine).status == 403)
    settings.origins = ["*"]
    let open = MCPSite(settings)
    #expect(open.modern("tools/list", key: open.reader, headers: [("origin", "https://x.y")]).status == 200)
  }

  // MARK: Bounds and words

  @Test func bodiesHaveALimit() {
    var settings = HostConfiguration.MCP()
    settings.maxBodyBytes = 1024
    let site = MCPSite(settings)
    let version = [("mcp-protocol-version", "2025-11-25")]
    func ping(_ bytes: Int) -> [UInt8] {
      let text = Array(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.utf8)
      return text + [UInt8](repeating: 0x20, count: bytes - text.count)
    }
    #expect(site.post(ping(1024), key: site.reader, headers: version).status == 200)
    #expect(site.post(ping(1025), key: site.reader, headers: version).status == 413)
  }

  /// What a client may cut off is not what matters: how to show a key, and how much there is.
  @Test(arguments: [1, 5, 12, 40])
  func instructionsMakeRoomWhereThereIsMuch(count: Int) throws {
    let site = MCPSite()
    let names = (0..<count).map { "more-\(100 + $0)" }
    for name in names {
      site.serve(
        #"{"id":"\#(name)","version":"1","title":"All of it","routes":[{"method":"GET","path":"/","operation":"x","scope":"things:read"}]}"#,
        .answers)
    }
    let text = site.modern("server/discover", key: site.reader).result?["instructions"]?.string ?? ""
    let opening = String(text.prefix(512))
    #expect(opening.contains("'Authorization: Bearer <key>' decides which tools are there."), "\(opening)")
    let listed = ["things (All things)"] + names.map { "\($0) (All of it)" }
    let shown = listed.filter(opening.contains)
    let rest = listed.count - shown.count
    #expect(opening.contains(" and \(rest) more.") == (rest > 0), "\(opening)")
    #expect((rest > 0) == (count >= 40), "\(rest) of \(count)")
    // No more is left out than has to be: another name has 22 characters, how many there are 24.
    let sentence = text.prefix { $0 != "\n" }
    #expect(sentence.count <= 512 && (rest == 0 || sentence.count > 512 - 22 - 24), "\(opening)")
  }

  @Test func instructionsBeginWithWhatMatters() {
    let site = MCPSite()
    let text = site.modern("server/discover", key: site.reader).result?["instructions"]?.string ?? ""
    let start = String(text.prefix(512))
    #expect(start.contains("things (All things)") && start.contains("Authorization: Bearer"), "\(text)")
    // Nobody is told of what is not for them.
    let other = site.modern("server/discover", key: site.stranger).result?["instructions"]?.string
    #expect(other?.contains("Automations: things") == true, "one of its routes is public")
    site.serve(
      #"{"id":"things","version":"2","routes":[{"method":"GET","path":"/","operation":"only"}]}"#, .answers)
    let none = site.modern("server/discover", key: site.stranger).result?["instructions"]?.string
    #expect(none?.contains("none that this caller may use") == true && none?.contains("things") == false)
  }
}

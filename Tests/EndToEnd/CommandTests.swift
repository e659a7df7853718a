import Kernel
import Patience
import Testing

/// The command line as a process, against a host as a process.
@Suite struct CommandTests {
  private func folder(_ name: String) -> String {
    let path = "\(Fixtures.folder)/\(name)-\(UUIDv7.make())"
    System.shell("mkdir -p '\(path)'")
    return path
  }

  /// A file that is there may be somebody else's, or open.
  @Test func theFirstKeysAreWrittenIntoNewFiles() throws {
    let home = Fixtures.home()
    System.shell(
      "mkdir -p '\(home)/keys' && : > '\(home)/keys/admin.key' && ln '\(home)/keys/admin.key' '\(home)/other'"
    )
    let host = try HostUnderTest(home: home)
    #expect(host.adminKey.hasPrefix("ck_"))
    #expect(System.text(home + "/other").isEmpty)
  }

  // MARK: Automations

  @Test func automationsAreListedReplacedAndRolledBack() throws {
    let versions = [
      Fixtures.hello(version: "1.0.0", word: "Hello"), Fixtures.hello(version: "1.0.1", word: "Welcome"),
    ]
    let host = try HostUnderTest()
    #expect(host.command(["automations", "list"]).output.contains("No automation is loaded"))
    let load = host.command(["automations", "load", versions[0], "--json"])
    #expect(load.code == 0 && load.json?["automation"]?.string == "hello", "\(load.said)")
    let again = host.command(["automations", "load", versions[0]])
    #expect(again.code == 1 && again.errors.contains("automation.exists"), "\(again.said)")

    let list = host.command(["automations", "list", "--json"])
    #expect(list.code == 0, "\(list.said)")
    #expect(list.json?["items"]?.array?.compactMap { $0["id"]?.string } == ["hello"])
    let reload = host.command(["automations", "reload", "hello", versions[1], "--json"])
    #expect(reload.code == 0 && reload.json?["generation"]?.integer == 2, "\(reload.said)")
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).body.contains("Welcome"))
    let back = host.command(["automations", "rollback", "hello", "--json"])
    #expect(back.code == 0 && back.json?["version"]?.string == "1.0.0", "\(back.said)")
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).body.contains("Hello"))
    let byPath = host.command(["automations", "reload", "hello", versions[1], "--by-path"])
    #expect(byPath.code == 0 && byPath.output.contains("generation 4 serves"), "\(byPath.said)")
    let show = host.command(["automations", "show", "hello", "--json"])
    #expect(show.json?["generations"]?.array?.count == 4, "\(show.said)")
    #expect(host.command(["automations", "show", "hello"]).output.contains("/hello/{name}"))

    let none = host.command(["automations", "reload", "nobody", versions[1], "--json"])
    #expect(none.code == 1 && none.problem?["code"]?.string == "automation.not_found", "\(none.said)")
    let unload = host.command(["automations", "unload", "hello"])
    #expect(unload.code == 0, "\(unload.said)")
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).status == 404)
    #expect(host.stop() == 0)
  }

  // MARK: Keys, audit, the host

  @Test func keysAreIssuedListedRotatedAndRevoked() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    let issue = host.command([
      "keys", "issue", "--principal", "shell", "--scope", "hello:read", "--limit", "9/60s",
    ])
    #expect(issue.code == 0, "\(issue.said)")
    // Standard output is the key and a line feed.
    let key = String(issue.output.dropLast())
    #expect(try host.call("GET", "/hello/x", key: key).headers["ratelimit-policy"] == #""default";q=9;w=60"#)
    let list = host.command(["keys", "list", "--json"])
    let row = list.json?["items"]?.array?.first { $0["principal"]?.string == "shell" }
    let id = try #require(row?["id"]?.string, "\(list.said)")
    #expect(row?["state"]?.string == "active" && !list.output.contains(key.suffix(20)))
    #expect(host.command(["keys", "list"]).output.contains(id))

    let file = folder("rotated") + "/key"
    let rotate = host.command(["keys", "rotate", id, "--grace", "1h", "--output", file])
    #expect(rotate.code == 0 && !rotate.output.contains("ck_"), "\(rotate.said)")
    let next = String(System.text(file).dropLast())
    for each in [key, next] { #expect(try host.call("GET", "/hello/x", key: each).status == 200) }
    #expect(host.command(["keys", "revoke", id]).code == 0)
    #expect(try host.call("GET", "/hello/x", key: key).status == 401)
    #expect(try host.call("GET", "/hello/x", key: next).status == 200)
    let unknown = host.command(["keys", "revoke", "nobodyhasit", "--json"])
    #expect(unknown.code == 1 && unknown.problem?["code"]?.string == "key.not_found", "\(unknown.said)")
    // A key that may not administrate is told so.
    let denied = host.command(["keys", "list"], key: file)
    #expect(denied.code == 4, "\(denied.said)")
    #expect(host.stop() == 0)
  }

  @Test func theTrailAndTheHostAreSeenFromTheShell() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).status == 200)
    // A row may wait for its flush.
    var verify = host.command(["audit", "verify", "--json"])
    #expect(
      eventually {
        verify = host.command(["audit", "verify", "--json"])
        return verify.json?["rows"]?.integer ?? 0 > 2
      })
    #expect(verify.code == 0, "\(verify.said)")
    let read = host.command(["audit", "read", "--all"])
    let rows = read.output.split(separator: "\n").map { try? JSONValue.parse($0.utf8.span) }
    #expect(read.code == 0 && rows.allSatisfy { $0?["seq"] != nil }, "\(read.said)")
    #expect(rows.contains { $0?["path"]?.string == "/hello/x" })

    #expect(host.command(["health", "--json"]).json?["status"]?.string == "ready")
    #expect(host.command(["metrics"]).output.contains("http_server_request_duration_seconds_count"))
    #expect(host.command(["log-level", "set", "debug"]).code == 0)
    #expect(host.command(["log-level", "get", "--json"]).json?["level"]?.string == "debug")
    let quarantine = host.command(["quarantine", "list", "--json"])
    #expect(quarantine.json?["items"]?.array?.isEmpty == true, "\(quarantine.said)")
    let busy = CouncilCommand(["audit", "verify", "--home", host.home])
    #expect(busy.code == 5 && busy.errors.contains("home.in_use"), "\(busy.said)")
    #expect(host.stop() == 0)

    let gone = host.command(["health"])
    #expect(gone.code == 3, "\(gone.said)")
    #expect(CouncilCommand(["audit", "verify", "--home", host.home]).code == 0)
  }

  @Test func exitCodesSayWhoIsToBlame() {
    for (arguments, code) in [
      (["version"], 0), (["--help"], 0), (["help", "keys", "issue"], 0), (["keys", "issue", "--help"], 0),
      ([], 0), (["nonsense"], 2), (["keys", "issue"], 2), (["serve", "--port", "99999"], 2),
      (["plugin", "check"], 2), (["plugin", "new", "x", "--lang", "cobol"], 2),
      (["automations", "list", "--admin", "http://127.0.0.1:1"], 4),
      (["plugin", "check", "/nonexistent.so"], 5), (["audit", "verify", "--home", "/nonexistent"], 5),
      (["plugin", "check", "/bin/sh"], 1),
      (["audit", "verify", "--home", "/proc/1"], 5), (["serve", "--home", "/dev/null"], 5),
      (["serve", "--home", "/dev/null/x"], 5), (["serve", "--config", "/nonexistent.yaml"], 5),
      (["config", "check", "/nonexistent.yaml"], 5), (["health", "--admin", "http://127.0.0.1:1"], 3),
    ] as [([String], Int32)] {
      let run = CouncilCommand(arguments)
      #expect(run.code == code, "\(arguments): \(run.said)")
      #expect(!(code == 0 ? run.output : run.errors).isEmpty, "\(arguments) says nothing")
    }
    let version = CouncilCommand(["version", "--json"])
    #expect(version.json?["abi_majors"]?.array?.isEmpty == false, "\(version.said)")
  }

  // MARK: Plugins

  @Test func aPluginIsCheckedSealedAndShown() throws {
    let check = CouncilCommand(["plugin", "check", HostUnderTest.hello, "--json"])
    #expect(check.code == 0 && check.json?["id"]?.string == "hello", "\(check.said)")
    #expect(check.json?["sealed"]?.bool == false)
    #expect(check.json?["routes"]?.array?.first?["path"]?.string == "/hello/{name}")
    let show = CouncilCommand(["plugin", "show", HostUnderTest.hello])
    #expect(show.code == 0 && show.output.contains("not sealed"), "\(show.said)")

    let sealed = folder("sealed") + "/hello.so"
    let seal = CouncilCommand(["plugin", "seal", HostUnderTest.hello, "-o", sealed, "--json"])
    #expect(seal.code == 0 && seal.json?["id"]?.string == "hello", "\(seal.said)")
    let shown = CouncilCommand(["plugin", "show", sealed, "--json"])
    #expect(
      shown.json?["sealed"]?.bool == true && shown.json?["manifest"]?["id"]?.string == "hello",
      "\(shown.said)")
    #expect(CouncilCommand(["plugin", "show", sealed]).output.contains("/hello/{name}"))
    #expect(CouncilCommand(["plugin", "check", sealed, "--json"]).json?["sealed"]?.bool == true)
    let host = try HostUnderTest(load: [sealed])
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).status == 200)
    #expect(host.stop() == 0)

    let crash = CouncilCommand(["plugin", "check", Fixtures.plugin("constructor_crashes"), "--json"])
    #expect(crash.code == 1 && crash.problem?["code"]?.string == "plugin.probe.crashed", "\(crash.said)")
    #expect(crash.problem?["step"]?.string == "probe")
  }

  @Test(arguments: [
    (language: "c", build: "make && make test", library: "libMyOrders.so"),
    (language: "swift", build: "swift build", library: ".build/debug/libMyOrders.so"),
  ])
  func aNewPluginBuildsAndLoadsAsItStands(language: String, build: String, library: String) throws {
    let place = folder("new") + "/my-orders"
    let new = [
      "plugin", "new", "my-orders", "--lang", language, "--dir", place, "--council-path", Fixtures.root,
    ]
    let made = CouncilCommand(new + ["--json"])
    #expect(made.code == 0 && made.json?["folder"]?.string == place, "\(made.said)")
    #expect(CouncilCommand(new).code == 5, "what is there is not overwritten")
    let build = CouncilCommand(shell: #"cd "$0" && "# + build, [place], minutes: 5)
    #expect(build.code == 0, "\(build.said)")
    let check = CouncilCommand(["plugin", "check", "\(place)/\(library)", "--lint", "refuse", "--json"])
    #expect(check.code == 0 && check.json?["id"]?.string == "my-orders", "\(check.said)")
    #expect(check.json?["lint"]?["findings"] == [], "\(check.said)")
    try load("\(place)/\(library)")
  }

  /// Loads a project's plugin and expects that its first route answers.
  private func load(_ library: String) throws {
    let host = try HostUnderTest()
    let load = host.command(["automations", "load", library, "--json"])
    #expect(load.code == 0 && load.json?["automation"]?.string == "my-orders", "\(load.said)")
    let routes = try host.admin("GET", "/automations/my-orders").json?["routes"]?.array ?? []
    let path = try #require(
      routes.first { $0["method"]?.string == "GET" && $0["path"]?.string?.contains("{") == false }?["path"]?
        .string
        ?? routes.first { $0["method"]?.string == "GET" }?["path"]?.string)
    let key = try host.issueKey(["my-orders:*"])
    let answer = try host.call("GET", path.contains("{") ? "/my-orders/1" : path, key: key)
    #expect(
      answer.status == 200 || answer.code == "records.not_found", "\(path): \(answer.status) \(answer.body)")
    #expect(host.stop() == 0)
  }
}

import Application
import CommandLineInterface
import Kernel
import Testing

struct ExitCodeTests {
  @Test func aRefusalPrintsTheProblemAndItsCauses() {
    let console = Console(
      409,
      [
        "code": "plugin.plan.conflicts", "detail": "2 conflicts", "step": "plan", "status": 409,
        "conflicts": [["code": "a", "detail": "first"], ["code": "b", "detail": "second"]],
      ])
    #expect(console.run("automations", "reload", "hello") == 1)
    #expect(
      console.errors == "council: 2 conflicts [plugin.plan.conflicts] at step plan\n  - first\n  - second\n")
  }

  @Test(arguments: [(401, Int32(4)), (403, 4), (404, 1), (422, 1), (429, 1), (500, 1), (503, 1)])
  func theStatusDecidesTheExitCode(status: Int, exit: Int32) {
    let console = Console(status, ["code": "some.code", "detail": "Some detail.", "retry_after_s": 3])
    #expect(console.run("automations", "list") == exit)
    #expect(console.errors.hasPrefix("council: Some detail. [some.code]\n"))
    #expect(console.errors.contains(status == 401 ? "--key-file" : "try again after 3 s"))
  }

  @Test(arguments: [
    (TransportFailure.unreachable("connection refused"), Int32(3)), (.timedOut, 3), (.tls("expired"), 3),
    (.answerTooLong, 1), (.invalid("no file 'x'"), 5),
  ])
  func aHostThatDoesNotAnswerIsItsOwnCode(failure: TransportFailure, exit: Int32) {
    let console = Console(ScriptedTransport { _ in .failure(failure) })
    #expect(console.run("automations", "list") == exit)
    #expect(console.errors.hasPrefix("council: ") && console.output.isEmpty)
  }

  @Test func withoutAKeyNothingIsSent() {
    let console = Console()
    console.environment = [:]
    #expect(console.run("automations", "list") == 4)
    #expect(console.errors.contains("--key-file") && console.requests.isEmpty)
  }

  @Test func aFileThatIsMissingIsItsOwnCode() {
    let console = Console()
    #expect(console.run("automations", "load", "missing.so") == 5)
    #expect(console.run("plugin", "check", "missing.so") == 5)
    #expect(console.requests.isEmpty)
  }

  @Test func whatIsNotCouncilIsSaidSo() {
    let console = Console(
      ScriptedTransport { _ in .success(IncomingAnswer(status: 200, body: Array("<html>".utf8))) })
    #expect(console.run("automations", "list") == 1)
    #expect(console.errors.contains("[host.foreign]"))
  }

  @Test func withJSONAnErrorIsADocumentToo() throws {
    let console = Console(404, ["code": "key.not_found", "detail": "None.", "extra": 1])
    #expect(console.run("keys", "revoke", "x", "--json") == 1)
    let document = try JSONValue.parse(console.errors.utf8.span)
    #expect(document == ["code": "key.not_found", "detail": "None.", "exit": 1, "extra": 1])
  }
}

struct KeyOfTheAdminTests {
  @Test func itComesFromTheFileOrTheEnvironmentInThatOrder() {
    let other = Console.key.replacing("A", with: "B")
    for (arguments, environment, wanted) in [
      (["--key-file", "k"], ["COUNCIL_ADMIN_KEY": Console.key], other),
      ([], ["COUNCIL_ADMIN_KEY": Console.key, "COUNCIL_ADMIN_KEY_FILE": "k"], Console.key),
      ([], ["COUNCIL_ADMIN_KEY_FILE": "k"], other),
    ] {
      let console = Console(200, ["level": "info"])
      console.environment = environment
      console.files.put("/here/k", other + "\n")
      #expect(console.run(["log-level", "get"] + arguments) == 0, "\(console.errors)")
      #expect(console.requests.first?["Authorization"] == "Bearer " + wanted)
      #expect(console.errors.isEmpty)
    }
  }

  @Test func aFileThatOthersMayReadIsWarnedAbout() {
    let console = Console(200, ["level": "info"])
    console.files.put("/here/k", Console.key, mode: 0o644)
    #expect(console.run("log-level", "get", "--key-file", "k") == 0)
    #expect(console.errors.contains("chmod 600"))
  }

  @Test func anythingElseThanAKeyIsNotSent() {
    let console = Console()
    console.files.put("/here/k", "-----BEGIN PRIVATE KEY-----\n")
    #expect(console.run("log-level", "get", "--key-file", "k") == 4)
    #expect(console.requests.isEmpty && !console.errors.contains("BEGIN"))
  }

  @Test func healthNeedsNone() {
    let console = Console(200, ["status": "ready"])
    console.environment = [:]
    #expect(console.run("health") == 0 && console.output == "ready\n")
  }
}

struct OutputTests {
  private static let list: JSONValue = [
    "items": [
      [
        "id": "a", "state": "active", "generation": 12, "version": "1", "route_count": 3,
        "requests_inside": 0, "draining": [], "title": "A", "isolation": "none",
      ],
      [
        "id": "longer", "state": "active", "generation": 1, "version": "1.0.0", "route_count": 3,
        "requests_inside": 7,
        "draining": [["generation": 4, "state": "stuck"]], "isolation": "process:2",
        "title": "B\u{1B}[2J",
      ],
    ]
  ]

  @Test func aListIsAnAlignedTable() {
    let console = Console(200, Self.list)
    #expect(console.run("automations", "list") == 0)
    #expect(
      console.output == """
        ID      STATE   GENERATION  VERSION  ISOLATION  ROUTES  INSIDE  DRAINING  TITLE
        a       active  12          1        none       3       0                 A
        longer  active  1           1.0.0    process:2  3       7       4:stuck   B\u{FFFD}[2J

        """)
  }

  @Test func jsonIsTheDocumentOfTheHost() {
    let console = Console(200, Self.list)
    #expect(console.run("automations", "list", "--json") == 0)
    #expect(console.json == Self.list)
  }

  @Test func coloursAreForTerminalsThatWantThem() {
    for (isInteractive, environment, isColoured) in [
      (true, [:], true), (false, [:], false), (true, ["NO_COLOR": "1"], false),
      (true, ["NO_COLOR": ""], true),
      (true, ["TERM": "dumb"], false),
    ] {
      let console = Console(ScriptedTransport(200, Self.list), isInteractive: isInteractive)
      console.environment.merge(environment) { _, new in new }
      console.run("automations", "list")
      #expect(console.output.contains("\u{1B}[32mactive\u{1B}[0m") == isColoured, "\(environment)")
    }
  }

  @Test func anAutomationIsShownWithItsOperationsAsAgentsSeeThem() {
    let console = Console(
      200,
      [
        "id": "shop", "state": "active", "generations": [],
        "routes": [
          [
            "method": "POST", "path": "/shop", "operation": "make", "scope": "shop:write",
            "execution": "blocking", "moved_to_workers": false, "name": "shop_make", "title": "Make\u{1B}",
            "hints": ["read_only": false, "destructive": false, "idempotent": false, "open_world": false],
            "confirm": true, "dry_run": false, "idempotency": "optional", "stream": false,
            "deprecated": false, "tokens": 61, "strict": false,
          ]
        ],
      ])
    #expect(console.run("automations", "show", "shop") == 0)
    #expect(
      console.output.contains(
        """
        NAME       HINTS  SAFETY        STRICT  TOKENS  TITLE
        shop_make  -      confirm, key  no      61      Make\u{FFFD}
        1 operation(s) cost a model about 61 tokens in a list (bytes / 4)
        """), "\(console.output)")
  }

  @Test func aReloadSaysWhatServesNow() {
    let console = Console(
      200,
      [
        "automation": "hello", "generation": 3, "previous": 2, "version": "1.1.0", "routes": 5,
        "draining": true,
        "total_ms": .number(31.5), "steps_ms": ["swap": .number(0.01), "probe": .number(12.25)],
      ])
    #expect(console.run("automations", "reload", "hello") == 0)
    #expect(
      console.output == """
        hello: generation 3 serves (was 2), version 1.1.0, 5 route(s); requests still run in the generation before
        31.5 ms: probe 12.25, swap 0.01

        """)
  }

  @Test func pagesAreFollowedToTheirEnd() {
    let console = Console(
      ScriptedTransport { request in
        let isFirst = !request.url.contains("after=")
        let page: JSONValue =
          isFirst
          ? ["items": [["id": "k1"], ["id": "k2"]], "next": "5.k2"]
          : ["items": [["id": "k3"]], "next": .null]
        return .success(IncomingAnswer(status: 200, body: JSON.encode(page)))
      })
    #expect(console.run("keys", "list", "--all", "--json") == 0)
    #expect(console.json["items"]?.array?.count == 3)
    #expect(console.requests.map(\.url).last == "http://127.0.0.1:8081/admin/v1/keys?after=5.k2&limit=1000")
  }

  @Test func onePageSaysHowToGoOn() {
    let console = Console(200, ["items": [["id": "k1"]], "next": "5.k1"])
    #expect(console.run("keys", "list", "--limit", "1") == 0)
    #expect(console.output.hasSuffix("There are more: council keys list --after 5.k1\n"))
  }

  @Test func pagesThatDoNotEndAreNotFollowedForever() {
    let console = Console(200, ["items": [], "next": "5.k1"])
    #expect(console.run("keys", "list", "--all") == 1)
    #expect(console.requests.count == 2)
  }

  @Test func theAuditTrailIsOneRowALine() {
    let console = Console(200, ["items": [["seq": 1], ["seq": 2]], "next": 2])
    #expect(console.run("audit", "read", "--after", "0", "--limit", "2") == 0)
    #expect(console.output == "{\"seq\":1}\n{\"seq\":2}\n" && console.errors.contains("--after 2"))
    #expect(console.requests.first?.url.hasSuffix("/admin/v1/audit?after=0&limit=2") == true)
  }

  @Test func aHostThatIsNotReadySaysWhy() {
    let console = Console(
      ScriptedTransport { request in
        let isLive = request.url.hasSuffix("/live")
        let body: JSONValue =
          isLive ? ["status": "live"] : ["status": "not_ready", "failures": ["store": "disk full"]]
        return .success(IncomingAnswer(status: isLive ? 200 : 503, body: JSON.encode(body)))
      })
    #expect(console.run("health") == 1)
    #expect(console.errors.contains("store: disk full [host.not_ready]"))
  }

  @Test func metricsAreTheTextOfTheHost() {
    let console = Console(
      ScriptedTransport { _ in .success(IncomingAnswer(status: 200, body: Array("up 1\n".utf8))) })
    #expect(console.run("metrics") == 0 && console.output == "up 1\n")
  }

  @Test func theVersionNamesThePluginContract() {
    let console = Console()
    #expect(console.run("version") == 0 && console.output == "council 0.1.0, plugin contract 1 (minor 0)\n")
    #expect(Console().run("--version") == 0)
  }

  @Test func theConfigurationIsPrintedAndChecked() {
    let console = Console()
    #expect(console.run("config", "default") == 0 && console.output == "home: ./var\n")
    #expect(console.run("config", "check", "good.yaml") == 0)
    #expect(console.run("config", "check", "bad.yaml") == 1 && console.errors.contains("line 3"))
    let full = Console()
    #expect(full.run("config", "check", "full.yaml", "--home", "data", "--json") == 5)
    #expect(full.errors.contains("home.unavailable") && full.errors.contains("home: home /here/data"))
    #expect(full.run("config", "check", "full.yaml", "--file-only", "--json") == 0)
    #expect(full.json["valid"] == true && full.json["tried"] == [])
  }
}

import Application
import CommandLineInterface
import Kernel
import Synchronization
import Testing

struct ParsingTests {
  @Test(arguments: [
    (["nonsense"], "'nonsense' is no command"), (["keyz", "list"], "did you mean 'keys'?"),
    (["keys"], "'keys' needs one of: issue, list, revoke, rotate"),
    (["keys", "isue"], "did you mean 'issue'?"), (["automations", "show"], "needs ID"),
    (["automations", "show", "a", "b"], "'b' is one argument too many"),
    (["automations", "show", ""], "ID is empty"),
    (["automations", "list", "--jsn"], "did you mean '--json'?"),
    (["automations", "list", "--json=1"], "--json takes no value"),
    (["automations", "list", "--admin"], "--admin needs a value: --admin URL"),
    (["automations", "list", "--timeout", "1", "--timeout", "2"], "--timeout may come once"),
    (["keys", "issue", "--scope", "a:b"], "needs --principal NAME"),
    (["keys", "issue", "--principal", "p"], "needs --scope SCOPE"),
    (["keys", "list", "--limit", "0"], "--limit takes a whole number from 1 to 1000, not '0'"),
    (["keys", "list", "--limit", "1001"], "--limit takes a whole number from 1 to 1000, not '1001'"),
    (["keys", "rotate", "k", "--grace", "soon"], "--grace takes a duration"),
    (["serve", "--port", "65536"], "--port takes a whole number from 0 to 65535"),
    (["serve", "--port", "80", "--admin-port", "80"], "are the same"),
    (["serve", "--log-level", "loud"], "--log-level takes one of debug"),
    (["log-level", "set", "warnin"], "did you mean 'warning'?"),
    (["automations", "list", "--admin", "ftp://x"], "is no address"),
    (["automations", "list", "--admin", "http://user@x"], "is no address"),
    (["automations", "list", "--admin", "http://"], "is no address"),
    (["help", "nonsense"], "no help on 'nonsense'"),
    (["keys", "issue", "--principal", "p", "--scope", "a:b", "--count", "2"], "--count goes with --offline"),
  ])
  func aLineThatIsWrongIsRefusedWithWhatToDoAndCallsNobody(line: [String], message: String) {
    let console = Console()
    #expect(console.run(line) == 2)
    #expect(console.errors.contains(message), "\(console.errors)")
    #expect(console.errors.contains("[usage]\n  see: council ") && console.output.isEmpty)
    #expect(console.requests.isEmpty)
  }

  @Test func optionsMayStandAnywhereAndCarryTheirValueEitherWay() {
    for line in [
      ["--admin", "http://localhost:9/", "hello"], ["hello", "--admin=http://localhost:9"],
      ["--admin=http://localhost:9", "--", "hello"],
    ] {
      let console = Console(200, ["id": "hello"])
      #expect(console.run(["automations", "show"] + line) == 0)
      #expect(console.requests.first?.url == "http://localhost:9/admin/v1/automations/hello")
    }
  }

  @Test func whatFollowsTwoDashesIsAnArgument() {
    let console = Console(200, ["id": "--json"])
    #expect(console.run("automations", "show", "--", "--json") == 0)
    #expect(console.requests.first?.url.hasSuffix("/admin/v1/automations/--json") == true)
  }

  @Test func theAddressComesFromTheEnvironmentWhenNotTyped() {
    let console = Console(200, ["level": "info"])
    console.environment["COUNCIL_ADMIN_URL"] = "http://[::1]:9000/"
    #expect(console.run("log-level", "get") == 0)
    #expect(console.requests.first?.url == "http://[::1]:9000/admin/v1/log-level")
    #expect(console.errors.isEmpty)
  }

  @Test func anAddressThatIsNotThisMachineIsWarnedAboutWithoutTLS() {
    for (url, isWarned) in [
      ("http://host.example:8081", true), ("https://host.example", false), ("http://127.0.0.9:1", false),
      ("http://127.host.example", true),
    ] {
      let console = Console(200, ["level": "info"])
      console.run("log-level", "get", "--admin", url)
      #expect(console.errors.contains("unencrypted") == isWarned, "\(url)")
    }
  }

  @Test func serveReadsItsOptions() {
    let console = Console()
    #expect(
      console.run(
        "serve", "--home", "var", "--port", "0", "--admin-port", "9081", "--config", "/etc/c.yaml", "--load",
        "a.so",
        "--load", "/b.so", "--issue-first-keys", "keys", "--log-level", "debug") == 0)
    var expected = ServeOptions()
    expected.home = "/here/var"
    expected.port = 0
    expected.adminPort = 9081
    expected.configFile = "/etc/c.yaml"
    expected.load = ["/here/a.so", "/b.so"]
    expected.firstKeys = "/here/keys"
    expected.logLevel = .debug
    #expect(console.served.options.withLock { $0 } == expected)
  }

  @Test func serveEndsWithTheCodeOfTheHost() {
    let console = Console()
    console.served.code.withLock { $0 = 70 }
    #expect(console.run("serve") == 70)
    #expect(console.served.options.withLock { $0 } == ServeOptions())
  }

  @Test(arguments: [
    ("200/60s", 200, 60), ("200/60", 200, 60), ("200/min", 200, 60), ("1000/h", 1000, 3600), ("5/2m", 5, 120),
    ("1000000000/60s", 1_000_000_000, 60),
  ])
  func aRateIsReadAsPeopleTypeIt(text: String, requests: Int64, seconds: Int64) {
    let console = Console(201, ["key": "k"])
    #expect(console.run("keys", "issue", "--principal", "p", "--scope", "a:b", "--limit", text) == 0)
    #expect(
      console.requests.first?.json["limit"] == ["requests": .integer(requests), "per_s": .integer(seconds)])
  }

  @Test(arguments: [
    "", "200", "/60s", "0/60s", "-1/60s", "+1/s", "200/", "200/0s", "200/fortnight", "1/2/3", "x/60s",
  ])
  func aRateThatIsNoneIsRefused(text: String) {
    let console = Console()
    #expect(console.run("keys", "issue", "--principal", "p", "--scope", "a:b", "--limit", text) == 2)
    #expect(console.requests.isEmpty)
  }

  @Test(arguments: [("0", 0), ("90", 90), ("90s", 90), ("15m", 900), ("24h", 86_400), ("30d", 2_592_000)])
  func aDurationIsReadAsPeopleTypeIt(text: String, seconds: Int64) {
    let console = Console(201, ["key": "k"])
    #expect(console.run("keys", "rotate", "k", "--grace", text) == 0)
    #expect(console.requests.first?.json["grace_s"] == .integer(seconds))
  }
}

struct HelpTests {
  @Test func helpWithoutWordsListsEveryCommand() {
    for line in [[], ["help"], ["--help"], ["-h"]] {
      let console = Console()
      #expect(console.run(line) == 0)
      for command in CommandLineApp.commands { #expect(console.output.contains("  \(command.name) ")) }
    }
  }

  @Test func everyCommandExplainsItselfAndRunsNothing() {
    for command in CommandLineApp.commands {
      for line in [command.words + ["--help"], command.words + ["-h"], ["help"] + command.words] {
        let console = Console()
        #expect(console.run(line) == 0)
        #expect(console.output.contains("Usage: council \(command.name)"))
        #expect(console.output.contains("-h, --help"))
        for endpoint in command.endpoints { #expect(console.output.contains(endpoint.row.path)) }
        #expect(console.requests.isEmpty && console.served.options.withLock { $0 } == nil)
      }
    }
  }

  @Test func aGroupListsItsCommands() {
    for line in [["keys", "--help"], ["help", "keys"]] {
      let console = Console()
      #expect(console.run(line) == 0)
      #expect(console.output.contains("keys rotate") && !console.output.contains("audit read"))
    }
  }

  @Test func theExitCodesAreDocumented() {
    let console = Console()
    #expect(console.run("help", "exit-codes") == 0)
    for code in ExitCode.allCases { #expect(console.output.contains("\n  \(code.rawValue)  ")) }
  }
}

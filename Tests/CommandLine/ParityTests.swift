import Application
import CommandLineInterface
import Domain
import Kernel
import Testing

struct ParityTests {
  /// A line for every command that calls the host.
  private static let lines: [String: [[String]]] = [
    "automations list": [[]], "automations top": [[]], "automations calls": [["hello", "--for", "0s"]],
    "automations show": [["hello"]], "automations load": [["p.so"]],
    "automations reload": [["hello"], ["hello", "--with", "b"]],
    "automations rollback": [["hello"], ["hello", "--with", "b=2"]], "automations unload": [["hello"]],
    "automations promote": [["hello"]], "automations abort": [["hello"]],
    "automations record": [["hello"], ["hello", "--stop"]],
    "automations config": [["hello"], ["hello", "--set", "c.json"]], "quarantine list": [[]],
    "quarantine release": [["ab"]], "keys issue": [["--principal", "p", "--scope", "a:b"]], "keys list": [[]],
    "keys revoke": [["k"]], "keys rotate": [["k"]], "audit read": [[]], "audit verify": [[]],
    "log-level get": [[]], "log-level set": [["debug"]], "upgrade": [[]], "crashes": [[]], "health": [[]],
    "metrics": [[]], "openapi": [[]],
  ]

  @Test func everyEndpointOfTheAdminListenerHasOneCommand() {
    let called = CommandLineApp.commands.flatMap(\.endpoints)
    #expect(Set(called) == Set(AdminEndpoint.allCases) && called.count == AdminEndpoint.allCases.count)
  }

  @Test func everyCommandCallsTheEndpointsItNames() {
    for command in CommandLineApp.commands where !command.endpoints.isEmpty {
      let console = Console(
        ScriptedTransport { _ in
          .success(IncomingAnswer(status: 200, body: Array(#"{"key":"k","status":"ready","next":1}"#.utf8)))
        })
      console.files.put("/here/p.so", "\u{7F}ELF")
      console.files.put("/here/c.json", "{}")
      for line in Self.lines[command.name] ?? [] {
        #expect(console.run(command.words + line) == 0, "\(command.name): \(console.errors)")
      }
      let asked = Set(console.requests.map { "\($0.method) \(Self.path($0.url))" })
      let named = Set(
        command.endpoints.map { endpoint in
          let last = Self.lines[command.name]?.first?.first ?? ""
          return
            "\(endpoint.row.method.rawValue) \(endpoint.path(endpoint.row.path.contains("{") ? [last] : []))"
        })
      #expect(asked == named, "\(command.name)")
    }
  }

  @Test func noTwoEndpointsShareMethodAndPath() {
    let places = AdminEndpoint.allCases.map { "\($0.row.method.rawValue) \($0.row.path)" }
    #expect(Set(places).count == places.count)
  }

  @Test func whateverChangesSomethingIsAnActAndNothingElseIs() {
    for endpoint in AdminEndpoint.allCases {
      #expect((endpoint.row.method == .get) == (endpoint.row.act == nil), "\(endpoint)")
    }
  }

  @Test func parametersOfPathsAreEscaped() {
    #expect(AdminEndpoint.revokeKey.path(["a/b?c d%ü"]) == "/admin/v1/keys/a%2fb%3fc%20d%25%c3%bc")
  }

  private static func path(_ url: String) -> String {
    String(url.dropFirst("http://127.0.0.1:8081".count).prefix { $0 != "?" })
  }
}

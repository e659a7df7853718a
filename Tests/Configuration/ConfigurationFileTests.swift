import Application
import Configuration
import Kernel
import Testing

@Suite struct ConfigurationFileTests {
  @Test func theDefaultFileSaysTheDefaults() throws {
    #expect(try parse(Setting.defaultFile) == HostConfiguration())
    for setting in Setting.all {
      #expect(Setting.defaultFile.contains("  \(setting.name): "))
      #expect(
        !setting.meaning.isEmpty && Setting.defaultFile.contains("\(setting.meaning) (\(setting.bounds))"))
    }
    #expect(Set(Setting.all.map(\.path)).count == Setting.all.count)
  }

  @Test(arguments: ["", "# nothing\n", "http:\n", "---\n...\n"])
  func anEmptyFileChangesNothing(text: String) throws {
    #expect(try parse(text) == HostConfiguration())
  }

  @Test func setsWhatItNames() throws {
    let configuration = try parse(
      "public:\n  port: 9000\nlog:\n  level: debug\nadmin: {metrics_need_key: true}\n")
    #expect(configuration.publicListener.port == 9000)
    #expect(configuration.logLevel == .debug)
    #expect(configuration.metricsNeedKey)
  }

  @Test(arguments: [
    ("public:\n  prot: 1\n", 2, "is 'port' meant?"), ("publik:\n  port: 1\n", 1, "is 'public' meant?"),
    ("public:\n  port: nine\n", 2, "whole number"), ("public:\n  port: \"9\"\n", 2, "whole number"),
    ("public:\n  port: 65536\n", 2, "from 0 to 65535"), ("public:\n  port: [1]\n", 2, "single value"),
    ("public:\n  port: 1\n  port: 2\n", 3, "second time"), ("log:\n  level: loud\n", 2, "one of debug"),
    ("admin:\n  metrics_need_key: no\n", 2, "true or false"), ("- a\n", 1, "mapping of sections"),
    ("public: 3\n", 1, "must be a mapping"), ("public: &a\n  port: 1\n", 1, "anchors"),
    ("public:\n  port: !!int 1\n", 2, "anchors and tags"), ("a: b: c\n", 1, ""),
    ("public:\n\tport: 1\n", 2, ""),
    ("public: {}\n---\nadmin: {}\n", 3, "second document"),
    ("public:\n  tls_key: a.pem\n", 0, "go together"), ("admin:\n  port: 8080\n", 0, "same address and port"),
    ("audit:\n  ring_bytes: 100000\n", 0, "power of two"),
    ("admin:\n  default_page: 2000\n", 0, "more than admin.max_page"),
    ("admin:\n  max_page: 2000\n", 0, "more than audit.max_read"),
    ("records:\n  default_page: 201\n", 0, "more than records.max_page"),
    ("records:\n  max_document_bytes: 9000000\n", 0, "more than sqlite.max_value_bytes"),
    ("sqlite:\n  checkpoint_pages: 16001\n", 0, "more than sqlite.restart_pages"),
    ("log:\n  line_bytes: 65537\n  queue_bytes: 65536\n", 0, "more than log.queue_bytes"),
    ("records:\n  max_clauses: 126\n", 0, "more than 16000"),
    (String(repeating: "[", count: 20), 1, "levels deep"),
    ("plugins:\n  trusted_keys: ci=x\n", 2, "must be a list of texts"),
    ("plugins:\n  trusted_keys: [1]\n", 2, "must be a list of texts"),
    ("plugins:\n  trusted_keys: [[a]]\n", 2, "must be a list of texts"),
    ("plugins:\n  trusted_keys: [ci=x]\n", 0, "no Ed25519 public key"),
    ("plugins:\n  trusted_keys: [a=/x, a=/y]\n", 0, "'a' twice"),
    ("plugins:\n  revoked_keys: [abc]\n", 0, "is no key id"),
    ("plugins:\n  revoked_files: [abc]\n", 0, "is no SHA-256"),
    ("plugins:\n  require_signature: true\n", 0, "refuses every plugin"),
    ("plugins:\n  revoked_keys: [\(String(repeating: "a", count: 33))]\n", 2, "more than 32 bytes"),
    (
      "plugins:\n  trusted_keys: [\(Array(repeating: "a=/b", count: 257).joined(separator: ", "))]\n", 2,
      "more than 256 texts"
    ),
    ("public:\n  port: 1\n# \u{1}\n", 3, "control characters"),
  ])
  func refusesWithTheLine(text: String, line: Int, reason: String) throws {
    let problem = try #require(throws: Problem.self) { try parse(text) }
    #expect(problem.code == "config.invalid")
    let first = problem.members["errors"]?.array?.first
    #expect(first?["line"]?.integer == Int64(line), "\(problem.detail)")
    #expect(problem.detail.contains(reason), "\(problem.detail)")
    if line > 0 { #expect(problem.detail.hasPrefix("test.yaml:\(line): ")) }
  }

  @Test func listsAreTaken() throws {
    let hash = String(repeating: "a", count: 64)
    let configuration = try parse(
      "plugins:\n  require_signature: true\n  trusted_keys:\n    - ci=/etc/ci.pem until 2031-01-01\n"
        + "  revoked_keys: [\(hash.prefix(32))]\n  revoked_files: [\(hash)]\n")
    #expect(configuration.signatures.isRequired)
    #expect(configuration.signatures.trustedKeys == ["ci=/etc/ci.pem until 2031-01-01"])
    #expect(
      configuration.signatures.revokedKeys.count == 1 && configuration.signatures.revokedFiles == [hash])
    #expect(try parse("plugins:\n  trusted_keys: []\n") == HostConfiguration())
  }

  @Test func whatMCPCannotUseIsRefusedByName() throws {
    let cases: [(String, String?)] = [
      ("origins: [\"https://app.example.com\"]", nil), ("origins: [\"http://[::1]:8080\"]", nil),
      ("origins: [\"*\"]", nil),
      ("origins: [\"app.example.com\"]", "mcp.origins: 'app.example.com' is no origin"),
      ("origins: [\"https://\"]", "mcp.origins: 'https://' is no origin"),
      ("origins: [\"https://app.example.com/\"]", "mcp.origins: 'https://app.example.com/' is no origin"),
      ("origins: [\"https://App.example.com\"]", "mcp.origins: 'https://App.example.com' is no origin"),
      ("authorization_servers: [\"https://id.example.com\"]", nil),
      (
        "authorization_servers: [\"http://id.example.com\"]",
        "mcp.authorization_servers: 'http://id.example.com' does not begin with https://"
      ),
      ("resource_page: 200", nil),
      ("resource_page: 201", "mcp.resource_page is 201, more than records.max_page, 200"),
      ("max_listeners: 0", nil), ("max_cursor_bytes: 256", nil),
      ("max_cursor_bytes: 255", "mcp.max_cursor_bytes"),
    ]
    for (text, fault) in cases {
      do throws(Problem) {
        _ = try parse("records:\n  max_page: 200\nmcp:\n  \(text)\n")
        #expect(fault == nil, "\(text)")
      } catch {
        let said = error.detail + JSON.text(JSONValue.object(error.members))
        #expect(error.status == 422 && fault.map(said.contains) == true, "\(text): \(said)")
      }
    }
  }

  @Test func bothSidesOfEveryBound() throws {
    for setting in Setting.all {
      guard case .number(let range, _) = setting.kind else { continue }
      for (number, isFine) in [
        (range.lowerBound, true), (range.upperBound, true), (range.lowerBound - 1, false),
        (range.upperBound + 1, false),
      ] {
        var configuration = HostConfiguration()
        let fault = setting.apply(.integer(Int64(number)), to: &configuration)
        #expect((fault == nil) == isFine, "\(setting.path) \(number)")
      }
    }
  }

  @Test func missingFilesAndFoldersAreUnreadable() throws {
    for path in ["/no/such.yaml", "/tmp", "/dev/zero"] {
      let problem = try #require(throws: Problem.self) { try ConfigurationFile.read(path) }
      #expect(problem.code == "config.unreadable")
    }
  }

  /// Mutations of a good file are read or refused; none traps.
  @Test func survivesEveryMutation() {
    let good = Array(Setting.defaultFile.utf8.prefix(1500))
    var state: UInt64 = 11
    func next() -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33)
    }
    for _ in 0..<1500 {
      var bytes = good
      for _ in 0...(next() % 4) {
        let place = next() % bytes.count
        switch next() % 3 {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: next())
        case 1: bytes.remove(at: place)
        default:
          bytes.insert(contentsOf: bytes[place..<min(place + 7, bytes.count)], at: next() % bytes.count)
        }
      }
      do throws(Problem) { _ = try ConfigurationFile.parse(bytes, name: "x") } catch {
        #expect(error.status == 422)
      }
    }
  }

  private func parse(_ text: String) throws(Problem) -> HostConfiguration {
    try ConfigurationFile.parse(Array(text.utf8), name: "test.yaml")
  }
}

import Application
import CommandLineInterface
import Domain
import Doubles
import Kernel
import Synchronization
import Testing

struct AutomationChangeTests {
  @Test func aFileIsUploadedWithItsHash() {
    let console = Console(201, ["automation": "hello"])
    console.files.put("/here/p.so", "\u{7F}ELF…")
    #expect(console.run("automations", "load", "p.so", "--replace") == 0)
    let request = console.requests[0]
    #expect(
      request.url == "http://127.0.0.1:8081/admin/v1/automations?replace=true" && request.method == "POST")
    #expect(request.body == .file("/here/p.so") && request["Content-Type"] == "application/octet-stream")
    #expect(request["X-Content-SHA256"] == WeakDigests().sha256("\u{7F}ELF…".utf8.span).hex)
  }

  @Test func aFileWhoseHashIsNotTheOneThatWasToldIsNotSent() {
    let console = Console()
    console.files.put("/here/p.so", "x")
    #expect(console.run("automations", "load", "p.so", "--sha256", "00") == 1)
    #expect(console.errors.contains("[plugin.file.hash_mismatch]") && console.requests.isEmpty)
  }

  @Test func byPathTheHostReadsTheFile() {
    let console = Console(201, ["automation": "hello"])
    console.files.put("/here/c.json", #"{"a":1}"#)
    #expect(
      console.run("automations", "load", "p.so", "--by-path", "--config", "c.json", "--sha256", "ab") == 0)
    #expect(console.requests[0].json == ["path": "/here/p.so", "config": ["a": 1], "sha256": "ab"])
  }

  @Test func aConfigurationGoesWithAnUploadWhileItFitsAHeader() {
    for (length, exit) in [(3000, Int32(0)), (3072, 2)] {
      let console = Console(200, ["automation": "hello"])
      console.files.put("/here/p.so", "x")
      let text = #"{"a":"\#(String(repeating: "b", count: length))"}"#
      console.files.put("/here/c.json", text)
      #expect(console.run("automations", "reload", "hello", "p.so", "--config", "c.json") == exit)
      let sent = console.requests.first?["X-Automation-Config"].flatMap { Base64URL.decode($0) }
      #expect(sent == (exit == 0 ? Array(text.utf8) : nil))
    }
  }

  /// Nothing was done, and a moment later another host is there: a script need not know of it.
  @Test func aRequestThatMeetsAHandOverIsSentOnceMore() {
    let handingOver: JSONValue = [
      "type": "about:blank", "status": 503, "code": "host.handing_over", "detail": "Send it again.",
      "retry_after_s": 0,
    ]
    for (count, exit) in [(1, Int32(0)), (2, 1)] {
      let left = Atomic<Int>(count)
      let console = Console(
        ScriptedTransport { _ in
          let isBusy = left.subtract(1, ordering: .relaxed).oldValue > 0
          return .success(
            IncomingAnswer(
              status: isBusy ? 503 : 200, body: JSON.encode(isBusy ? handingOver : ["automation": "hello"])))
        })
      #expect((console.run("automations", "reload", "hello") == 0) == (exit == 0), "\(console.errors)")
      #expect(console.requests.count == 2 && console.errors.contains("takes over"), "\(console.errors)")
    }
    let other = Console(503, ["code": "admin.busy", "detail": "Later.", "retry_after_s": 0])
    #expect(other.run("automations", "reload", "hello") != 0 && other.requests.count == 1)
  }

  @Test func aReloadWithoutAFileSendsNothing() {
    let console = Console(200, ["automation": "hello"])
    #expect(console.run("automations", "reload", "hello") == 0)
    #expect(console.requests[0].body == .none)
  }

  @Test func aReplayThatIsRequiredGoesIntoTheQueryOrTheSet() {
    let console = Console(200, ["automation": "hello"])
    console.files.put("/here/p.so", "x")
    let replay = ["--require-replay", "r.jsonl"]
    #expect(console.run(["automations", "reload", "hello", "p.so"] + replay) == 0)
    #expect(console.requests.last?.url.hasSuffix("/hello/reload?require_replay=r.jsonl") == true)
    #expect(console.run(["automations", "reload", "hello", "p.so", "--replay-writes"] + replay) == 0)
    #expect(
      console.requests.last?.url.hasSuffix("/hello/reload?require_replay=r.jsonl&replay_writes=true") == true)
    #expect(
      console.run(["automations", "reload", "hello", "--with", "two", "--replay-writes"] + replay) == 0)
    #expect(
      console.requests.last?.json == [
        "automations": [
          ["id": "hello", "require_replay": "r.jsonl", "replay_writes": true], ["id": "two"],
        ]
      ])
    let count = console.requests.count
    #expect(console.run("automations", "reload", "hello", "p.so", "--replay-writes") == 2)
    #expect(console.errors.contains("--require-replay") && console.requests.count == count)
  }

  @Test func aRollbackNamesItsGenerationWhenTold() {
    let console = Console(200, ["automation": "hello"])
    #expect(console.run("automations", "rollback", "hello") == 0 && console.requests[0].body == .none)
    #expect(console.run("automations", "rollback", "hello", "--to", "4") == 0)
    #expect(console.requests[1].json == ["generation": 4])
  }

  @Test func aConfigurationThatIsNoObjectIsNotSent() {
    let console = Console()
    console.files.put("/here/c.json", "[1]")
    #expect(console.run("automations", "config", "hello", "--set", "c.json") == 5 && console.requests.isEmpty)
  }
}

struct KeyIssueTests {
  private static let answer: JSONValue = [
    "key": "ck_secret", "id": "abc", "principal": "p", "scopes": ["a:b"],
  ]
  private static let line = ["keys", "issue", "--principal", "p", "--scope", "a:b", "--scope", "c:*"]

  @Test func theKeyIsAllThatStandardOutputGets() {
    let console = Console(201, Self.answer)
    #expect(console.run(Self.line + ["--name", "n", "--expires-in", "1h"]) == 0)
    #expect(console.output == "ck_secret\n" && console.errors.contains("key abc for p"))
    #expect(
      console.requests[0].json == [
        "principal": "p", "scopes": ["a:b", "c:*"], "name": "n", "expires_in_s": 3600,
      ])
  }

  @Test func aKeyForAFileIsNotShown() {
    for json in [[], ["--json"]] {
      let console = Console(201, Self.answer)
      #expect(console.run(Self.line + ["--output", "k"] + json) == 0)
      #expect(console.files.text("/here/k") == "ck_secret\n" && console.files.mode("/here/k") == 0o600)
      #expect(!console.output.contains("ck_secret") && !console.errors.contains("ck_secret"))
    }
  }

  @Test func aFileThatExistsIsKeptAndNoKeyIsMade() {
    let console = Console(201, Self.answer)
    console.files.put("/here/k", "precious")
    #expect(console.run(Self.line + ["--output", "k"]) == 5)
    #expect(console.files.text("/here/k") == "precious" && console.requests.isEmpty)
  }
}

struct OfflineKeyTests {
  private static let line = [
    "keys", "issue", "--offline", "--home", "/h", "--principal", "p", "--scope", "a:*",
  ]

  @Test func manyKeysAreStoredInBatchesAndWrittenOneALine() throws {
    let console = Console()
    console.environment = [:]
    #expect(
      console.run(Self.line + ["--count", "10001", "--limit", "1000000000/60s", "--output", "keys"]) == 0,
      "\(console.errors)")
    let batches = console.keys.inserts.withLock { $0 }
    #expect(batches.map(\.count) == [10_000, 1])
    let texts = (console.files.text("/here/keys") ?? "").split(separator: "\n").map(String.init)
    #expect(texts.count == 10_001 && Set(texts).count == 10_001 && console.files.mode("/here/keys") == 0o600)
    let records = batches.flatMap { $0 }
    for (text, record) in zip(texts, records) {
      guard KeyText.parse(text.utf8.span)?.text == record.id else {
        Issue.record("\(record.id) is not the id of its line")
        break
      }
    }
    #expect(records[0].digest == WeakDigests().sha256(texts[0].utf8.span).bytes)
    #expect(records[0].limit == RateLimitRecord(requests: 1_000_000_000, periodSeconds: 60))
    #expect(console.requests.isEmpty)
  }

  @Test func oneKeyIsPrinted() {
    let console = Console()
    #expect(console.run(Self.line) == 0)
    #expect(KeyText.parse(console.output.dropLast().utf8.span) != nil)
  }

  @Test func keysThatCannotBeWrittenDownAreEnded() {
    let console = Console(files: MemoryLocalFiles(capacity: 100))
    #expect(console.run(Self.line + ["--count", "2", "--output", "keys"]) == 5)
    let ended = console.keys.updates.withLock { $0 }
    #expect(ended.count == 2 && ended.allSatisfy { $0.revoked != nil })
  }

  @Test(arguments: [
    ["--count", "2"], ["--count", "0", "--output", "k"], ["--scope", "No Scope"],
  ])
  func whatIsWrongIsRefusedBeforeAnythingIsMade(more: [String]) {
    let console = Console()
    #expect(console.run(Self.line + more) == 2)
    #expect(console.keys.inserts.withLock { $0.isEmpty } && console.files.paths.isEmpty)
  }

  @Test func theHomeIsNeeded() {
    #expect(Console().run("keys", "issue", "--offline", "--principal", "p", "--scope", "a:b") == 2)
  }
}

struct AuditVerifyTests {
  @Test func aTrailIsVerifiedWithoutAHost() {
    let console = Console()
    console.environment = [:]
    #expect(console.run("audit", "verify", "--home", "/h") == 5)
    // A folder that is no home has no trail that could be right.
    console.files.put("/h/other/1", "")
    #expect(console.run("audit", "verify", "--home", "/h") == 5)
    #expect(console.errors.contains("/h/audit"))
    console.files.put("/h/audit/1", "")
    #expect(console.run("audit", "verify", "--home", "/h") == 0 && console.requests.isEmpty)
    #expect(console.output == "3 row(s) fit; the last hash is ef\n")
    console.audit = FixedAudit(
      .failure(Problem(409, "audit.broken", "Row 2 was changed.", members: ["seq": 2])))
    #expect(console.run("audit", "verify", "--home", "/h") == 1)
    #expect(console.errors.contains("Row 2 was changed. [audit.broken]"))
  }
}

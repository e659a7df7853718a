import Kernel
import Patience
import Scratch
import Testing

/// What an author's machine runs: `plugin dev` and `plugin test`, with hosts of their own.
@Suite struct AuthorTests {
  // MARK: Test

  private func test(_ path: String, seconds: Int = 1) -> CouncilCommand {
    CouncilCommand(
      ["plugin", "test", path, "--json", "--seed", "11", "--seconds", "\(seconds)"], minutes: 2)
  }

  private func check(_ name: String, in run: CouncilCommand) -> JSONValue? {
    run.json?["checks"]?.array?.first { $0["name"]?.string == name }
  }

  @Test(arguments: [HostUnderTest.hello, HostUnderTest.accounts])
  func theExamplesHoldTheContract(path: String) throws {
    let run = test(path, seconds: 4)
    #expect(run.code == 0 && run.json?["passed"]?.bool == true, "\(run.said)")
    #expect(run.json?["notes"] == [], "every route answered 2xx: \(run.said)")
    let names = run.json?["checks"]?.array?.compactMap { $0["name"]?.string }
    #expect(
      names == [
        "load", "state", "answers", "fuzz", "limits", "deadline", "concurrency", "cancel", "drain", "restart",
        "stop",
      ])
    #expect(System.names(in: Scratch.root).allSatisfy { !$0.hasPrefix("council-author-") })
  }

  @Test(arguments: [
    (wrong: "CRASHES", check: "state", detail: "took the host down (SIGSEGV)"),
    (wrong: "CRASHES_ON_LONG", check: "answers", detail: "took the host down (SIGSEGV)"),
    (wrong: "WRONG_SHAPE", check: "answers", detail: "breaks the declared schema at \"/count\""),
    (wrong: "HANGS", check: "answers", detail: "504 handler.timeout"),
    (wrong: "NEVER_ANSWERS", check: "state", detail: "504 handler.timeout"),
    (wrong: "FAILS", check: "answers", detail: "500 plugin.failed"),
    (wrong: "LEAKS_STATE", check: "state", detail: "goes on where the one before was"),
  ])
  func aBadPluginFailsForItsReason(wrong: String, check name: String, detail: String) throws {
    let run = test(Fixtures.plugin("tested", "-DWRONG=\(wrong)"))
    #expect(run.code == 1 && run.json?["passed"]?.bool == false, "\(run.said)")
    #expect(run.json?["seed"]?.string == "11")
    let found = self.check(name, in: run)
    let check = try #require(found, "\(run.said)")
    #expect(check["state"]?.string == "fail", "\(run.said)")
    #expect(check["detail"]?.string?.contains(detail) == true, "\(run.said)")
    #expect(check["reproduce"]?.string?.hasPrefix("curl -i -X ") == true, "\(run.said)")
    #expect(System.names(in: Scratch.root).allSatisfy { !$0.hasPrefix("council-author-") })
  }

  /// Each check finds what no other one does: without it, such a plugin would pass.
  @Test(arguments: [
    (wrong: "TRIPS_OVER_STRANGE", check: "fuzz", detail: "took the host down (SIGSEGV)"),
    (wrong: "TRIPS_OVER_LARGE", check: "limits", detail: "took the host down (SIGSEGV)"),
    (wrong: "TRIPS_OVER_LATE", check: "deadline", detail: "took the host down (SIGSEGV)"),
    (wrong: "MIXES_CALLS", check: "concurrency", detail: "breaks the declared schema at \"/count\""),
    (wrong: "TRIPS_OVER_LEAVING -DSTREAMED", check: "cancel", detail: "took the host down (SIGSEGV)"),
    (wrong: "GIVES_UP_CALLS", check: "drain", detail: "500 plugin.failed"),
    (wrong: "STARTS_ONCE", check: "restart", detail: "plugin.create"),
    (wrong: "ENDS_BADLY", check: "stop", detail: "took the host down (SIGSEGV)"),
  ])
  func eachCheckHasAPluginThatFailsItAlone(wrong: String, check name: String, detail: String) throws {
    let run = test(Fixtures.plugin("tested", "-DWRONG=\(wrong)"))
    #expect(run.code == 1 && run.json?["passed"]?.bool == false, "\(run.said)")
    let checks = run.json?["checks"]?.array ?? []
    let failed = checks.filter { $0["state"]?.string == "fail" }
    #expect(failed.compactMap { $0["name"]?.string } == [name], "\(run.said)")
    #expect(failed.first?["detail"]?.string?.contains(detail) == true, "\(run.said)")
    // And was found where it is looked for: what stands before was looked at, and is well.
    let before = checks.prefix { $0["name"]?.string != name }
    #expect(before.allSatisfy { $0["state"]?.string == "pass" }, "\(run.said)")
  }

  @Test func aPluginThatDoesNotStartFailsTheFirstCheck() throws {
    let run = test(Fixtures.plugin("activate_refuses"))
    #expect(run.code == 1 && run.json?["passed"]?.bool == false, "\(run.said)")
    #expect(run.json?["checks"]?.array?.count == 1)
    let load = try #require(check("load", in: run), "\(run.said)")
    #expect(load["state"]?.string == "fail", "\(run.said)")
    #expect(load["detail"]?.string?.contains("not today") == true, "\(run.said)")
  }

  /// The handler behind a confirmation is what is tested, not the question.
  @Test func whatWantsToBeConfirmedIsConfirmed() throws {
    let good = test(Fixtures.plugin("tested", "-DWRONG=NOTHING -DCONFIRMED"))
    #expect(good.code == 0 && good.json?["notes"] == [], "every route answered 2xx: \(good.said)")
    let bad = test(Fixtures.plugin("tested", "-DWRONG=FAILS -DCONFIRMED"))
    let answers = try #require(check("answers", in: bad), "\(bad.said)")
    #expect(bad.code == 1 && answers["detail"]?.string?.contains("500 plugin.failed") == true, "\(bad.said)")
    #expect(answers["reproduce"]?.string?.contains("X-Confirm: $CONFIRM") == true, "\(bad.said)")
  }

  @Test func theSameSeedMakesTheSameCalls() throws {
    let path = Fixtures.plugin("tested", "-DWRONG=CRASHES_ON_LONG")
    let runs = [test(path), test(path)]
    let lines = runs.map { check("answers", in: $0)?["reproduce"]?.string }
    #expect(lines[0] != nil && lines[0] == lines[1], "\(lines)")
  }

  @Test func aPluginThatDoesNothingWrongPasses() {
    let run = test(Fixtures.plugin("tested", "-DWRONG=NOTHING"))
    #expect(run.code == 0, "\(run.said)")
  }

  @Test func whatIsNoPluginIsNotTested() {
    for (path, code) in [("/bin/sh", 1), ("/nonexistent.so", 5)] as [(String, Int32)] {
      let run = test(path)
      #expect(run.code == code && run.output.isEmpty, "\(run.said)")
    }
    let crash = test(Fixtures.plugin("constructor_crashes"))
    #expect(crash.code == 1 && crash.problem?["code"]?.string == "plugin.probe.crashed", "\(crash.said)")
  }

  // MARK: Dev

  /// `council plugin dev` on a project, while a test edits it.
  private final class Session {
    let place: String
    let log: String
    let process: Child

    init(language: String, _ more: [String] = [], library: Bool = false) throws {
      place = "\(Fixtures.folder)/dev-\(UUIDv7.make())"
      log = place + ".log"
      let made = CouncilCommand(
        ["plugin", "new", "my-orders", "--lang", language, "--dir", place, "--council-path", Fixtures.root])
      #expect(made.code == 0, "\(made.said)")
      let named = library ? ["--library", "\(place)/libMyOrders.so"] : []
      process = Child(HostUnderTest.binary, ["plugin", "dev", place] + more + named, output: log)
    }

    deinit {
      process.signal(2)
      if process.wait() == nil { process.signal(9) }
    }

    var text: String { System.text(log) }

    /// Programs that the command started and that run: a host, and a build.
    var children: [Int32] {
      System.text("/proc/\(process.pid)/task/\(process.pid)/children").split(separator: " ").compactMap {
        Int32($0)
      }
    }
    var hosts: [Int32] { children.filter { System.text("/proc/\($0)/cmdline").contains("serve") } }

    func waits(for text: String, times: Int = 1) -> Bool {
      eventually(minutes: 5) {
        self.text.split(separator: "\n").count { $0.contains(text) } >= times || !process.isRunning
      } && process.isRunning
    }

    /// One text of the source for another.
    func edit(_ file: String, _ from: String, _ to: String) {
      #expect(System.shell("sed -i 's/\(from)/\(to)/' '\(place)/\(file)'") == 0)
    }

    var url: String? { word(after: "host ") }
    var key: String? {
      text.firstRange(of: "$(cat ").map { range in String(text[range.upperBound...].prefix { $0 != ")" }) }
        .map { System.text($0) }.map { String($0.prefix { $0 != "\n" }) }
    }

    private func word(after start: String) -> String? {
      text.split(separator: "\n").last { $0.hasPrefix(start) }?.dropFirst(start.count).split(separator: " ")
        .first
        .map(String.init)
    }

    func get(_ path: String) -> (status: Int, body: String) {
      let port = url.flatMap { $0.split(separator: ":").last }.flatMap { Int($0) } ?? 0
      guard let answer = Connection(port: port)?.request("GET", path, key: key) else { return (0, "") }
      return (answer.status, answer.body)
    }
  }

  @Test func aSavedFileIsLiveAndABrokenOneIsShown() throws {
    let session = try Session(language: "c")
    #expect(session.waits(for: "live "), "\(session.text)")
    #expect(session.waits(for: "/my-orders/{name}"), "the routes are shown: \(session.text)")
    #expect(session.waits(for: "curl "))
    #expect(session.get("/my-orders/you").body.contains("Hello, you!"))
    // Each call is shown, also one that finds nothing.
    #expect(session.waits(for: "GET /my-orders/you 200"), "\(session.text)")
    #expect(session.get("/my-orders/").status == 404)
    #expect(session.waits(for: "GET /my-orders/ 404"), "\(session.text)")

    session.edit("plugin.c", "Hello, ", "Howdy, ")
    #expect(session.waits(for: "generation 2: compile"), "\(session.text)")
    #expect(session.get("/my-orders/you").body.contains("Howdy, you!"))

    session.edit("plugin.c", "static void quiesce", "static viod quiesce")
    #expect(session.waits(for: "build failed"), "\(session.text)")
    #expect(session.waits(for: "error:") && session.waits(for: "generation 2 goes on"), "\(session.text)")
    #expect(session.get("/my-orders/you").body.contains("Howdy, you!"), "the old one serves")

    // A plugin that builds and is none is refused, and the old one goes on.
    session.edit("plugin.c", "static viod quiesce", "static void quiesce")
    #expect(session.waits(for: "generation 3: compile"), "\(session.text)")
    session.edit("plugin.c", "{.id.:", "{\\\\\"ID\\\\\":")
    session.edit("plugin.c", "  \\*self = instance;", "  *self = instance; abort();")
    #expect(session.waits(for: "refused"), "\(session.text)")
    #expect(session.waits(for: "generation 3 goes on"), "\(session.text)")
    #expect(session.get("/my-orders/you").body.contains("Howdy, you!"))
  }

  /// Killed, it can end nobody: the kernel does.
  @Test func whatItStartedEndsWithItEvenWhenItIsKilled() throws {
    let session = try Session(language: "c")
    #expect(session.waits(for: "live "), "\(session.text)")
    let port = session.url.flatMap { $0.split(separator: ":").last }.flatMap { Int($0) } ?? 0
    #expect(Connection(port: port) != nil)
    session.process.signal(9)
    #expect(session.process.wait() == -9)
    #expect(eventually { Connection(port: port) == nil }, "the host outlives its command")
    System.shell("rm -rf '\(Scratch.root)'/council-author-*")
  }

  /// A build that ends while the command starts another host is not waited for for ever.
  @Test func aBuildThatEndsWhileTheHostIsGoneIsLoaded() throws {
    let gate = "\(Fixtures.folder)/gate-\(UUIDv7.make())"
    let session = try Session(
      language: "c",
      ["--build", "make && touch '\(gate).made' && while [ -e '\(gate)' ]; do sleep 0.01; done"],
      library: true)
    #expect(session.waits(for: "live "), "\(session.text)")
    System.shell("rm '\(gate).made'")
    System.write("", to: gate)
    session.edit("plugin.c", "Hello, ", "Howdy, ")
    #expect(eventually { System.exists(gate + ".made") }, "\(session.text)")
    let old = try #require(session.hosts.first)
    System.signal(old, 9)
    // The next one is there, and not ready yet.
    #expect(eventually { session.hosts.contains { $0 != old } }, "\(session.text)")
    System.shell("rm '\(gate)'")
    #expect(session.waits(for: "is back with what served"), "\(session.text)")
    #expect(
      eventually { session.get("/my-orders/you").body.contains("Howdy, you!") }, "\(session.text)")
    session.edit("plugin.c", "Howdy, ", "Servus, ")
    #expect(
      eventually { session.get("/my-orders/you").body.contains("Servus, you!") }, "\(session.text)")
  }

  @Test(arguments: [Int32(2), 15, 1])
  func whatItStartedEndsWithIt(signal: Int32) throws {
    let session = try Session(language: "c")
    #expect(session.waits(for: "live "), "\(session.text)")
    let port = session.url.flatMap { $0.split(separator: ":").last }.flatMap { Int($0) } ?? 0
    #expect(Connection(port: port) != nil)
    session.process.signal(signal)
    #expect(session.process.wait() == 0, "\(session.text)")
    #expect(Connection(port: port) == nil, "the host is gone")
    #expect(System.names(in: Scratch.root).allSatisfy { !$0.hasPrefix("council-author-") })
  }

  @Test func aHostThatRunsAlreadyIsLoadedInto() throws {
    let host = try HostUnderTest()
    let session = try Session(
      language: "c",
      ["--host", "http://127.0.0.1:\(host.adminPort)", "--key-file", host.home + "/keys/admin.key"])
    #expect(session.waits(for: "live "), "\(session.text)")
    let key = try host.issueKey(["my-orders:*"])
    #expect(try host.call("GET", "/my-orders/you", key: key).status == 200)
    #expect(session.waits(for: "GET /my-orders/you 200"), "\(session.text)")
    session.process.signal(2)
    #expect(session.process.wait() == 0)
    #expect(try host.call("GET", "/my-orders/you", key: key).status == 200, "that host goes on")
    #expect(host.stop() == 0)
  }

  @Test func aProjectWithoutABuildIsSaidSo() {
    let place = "\(Fixtures.folder)/empty-\(UUIDv7.make())"
    System.shell("mkdir -p '\(place)'")
    let run = CouncilCommand(["plugin", "dev", place])
    #expect(run.code == 5 && run.errors.contains("--build"), "\(run.said)")
    #expect(CouncilCommand(["plugin", "dev", place, "--build", "true"]).code == 2)
    #expect(CouncilCommand(["plugin", "dev", place + "/none"]).code == 5)
  }
}

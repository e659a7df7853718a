import Domain
import Doubles
import Kernel
import Patience
import Testing

@testable import Application

/// What gets into a recording, and what does not.
@Suite struct RecordTrafficTests {
  private static let manifest = """
    {"id":"a","version":"1","requires":["council.records/1"],"routes":[{"method":"POST","path":"/{code}","operation":"o",
     "path_parameters":{"type":"object","properties":{"code":{"type":"string","writeOnly":true}}},
     "query":{"type":"object","properties":{"token":{"type":"string","format":"password"}}},
     "body":{"type":"object","properties":{"pin":{"$ref":"#/$defs/pin"},"name":{"type":"string"},
      "code":{"allOf":[{"$ref":"#/$defs/loop"},{"$ref":"#/$defs/alias"}]}},
      "$defs":{"pin":{"type":["string","integer"],"writeOnly":true},"alias":{"$ref":"#/$defs/pin"},
       "loop":{"$ref":"#/$defs/loop"}}}}],
     "records":[{"name":"c","fields":[{"name":"iban","type":"string","encrypted":true}]}]}
    """
  private static let key = "ck_0123456789ab_" + String(repeating: "A", count: 43)

  let world = World()
  let files = MemoryRecordings()

  private func traffic(_ limits: RecordTraffic.Limits = .init()) throws -> RecordTraffic {
    try world.load("/a.so", Self.manifest)
    return RecordTraffic(automations: world.automations, files: files, log: world.log, limits: limits)
  }

  private func exchange(_ body: String, status: Int = 200, answer: String = "{}") -> Exchange {
    let exchange = Exchange(slot: 0)
    let head = exchange.head
    exchange.method = .post
    exchange.rawPath = head.append("/a/topsecret")
    func add(_ fields: inout [Field], _ name: String, _ value: String) {
      fields.append(Field(name: head.append(name), value: head.append(value)))
    }
    add(&exchange.query, "token", "hidden-token")
    add(&exchange.query, "page", "2")
    add(&exchange.headers, "authorization", "Bearer \(Self.key)")
    add(&exchange.headers, "cookie", "hidden-cookie")
    add(&exchange.headers, "accept", "application/json")
    add(&exchange.headers, "x-tenant", "seven")
    exchange.body.append(body)
    exchange.status = status
    exchange.addHeader("Content-Type", "application/json")
    exchange.addHeader("Set-Cookie", "hidden-answer")
    exchange.answerBody.append(answer)
    return exchange
  }

  private func record(
    _ traffic: RecordTraffic, _ options: RecordingOptions = .init(), _ exchanges: [Exchange]
  ) throws -> (report: RecordTraffic.Report, text: String) {
    _ = try traffic.start("a", options)
    let live = try #require(world.automations.snapshots.current.automation(named: "a"))
    let recording = try #require(live.extras?.recording)
    for exchange in exchanges { recording.take(exchange, live.routes[0]) }
    let report = try traffic.stop("a")
    return (report, files.text(report.name))
  }

  @Test func nothingSecretIsKept() throws {
    let body =
      #"{"pin":"hidden-pin","name":"Ann","list":[{"PIN":"hidden-pin","iban":"hidden-iban"}],"note":"\#(Self.key)"}"#
    let (report, text) = try record(
      try traffic(), .init(redact: ["nick"]), [exchange(body, answer: #"{"nick":"hidden-nick","id":1}"#)])
    #expect(report.recorded == 1 && report.dropped == 0 && report.skipped == 0 && !report.isRunning)
    for hidden in ["hidden", "topsecret", "ck_", "Bearer", "seven"] {
      #expect(!text.contains(hidden), "\(text)")
    }
    let calls = try RecordedCalls(Array(text.utf8))
    #expect(calls.automation == "a" && calls.calls.count == 1)
    let call = calls.calls[0]
    #expect(call.target == "/a/[redacted]?token=%5bredacted%5d&page=2", "\(call.target)")
    #expect(call.body?["name"] == "Ann" && call.body?["pin"] == "[redacted]")
    #expect(call.headers.map(\.name) == ["accept"] && !call.isReadOnly)
    #expect(world.automations.snapshots.current.automation(named: "a")?.extras == nil)
  }

  /// What is hidden under its name is not read where an answer repeats it: in a link, an address or a message.
  @Test func whatIsHiddenIsHiddenWhereItIsRepeated() throws {
    let exchange = exchange(
      #"{"pin":73519,"code":"hidden-code","name":"hidden-code?","list":["abc"]}"#,
      answer:
        #"{"detail":"73519 is no pin, hidden-token no token","note":"topsecret!","list":["abc"],"abc":1}"#)
    exchange.addHeader("Location", "/a/topsecret")
    exchange.addHeader("Link", "</a/x?token=hidden%2Dtoken&after=1>; rel=next")
    let (report, text) = try record(try traffic(), .init(redact: ["list"]), [exchange])
    #expect(report.recorded == 1)
    for hidden in ["hidden", "topsecret", "73519"] { #expect(!text.contains(hidden), "\(text)") }
    // Three letters are anywhere by chance.
    #expect(text.contains(#""abc":1"#), "\(text)")
  }

  /// Whoever has the token of a call may make it, as long as it holds.
  @Test func whatConfirmsACallIsNotKept() throws {
    let confirmations = Confirmations(
      secret: [UInt8](repeating: 7, count: 32), digests: WeakDigests(), lifetime: .seconds(60))
    let token = confirmations.issue(Digest256(), caller: "key".utf8.span).text
    #expect(Confirmations.isToken(token) && !Confirmations.isToken(String(token.dropLast())))
    #expect(!Confirmations.isToken(token + "A") && !Confirmations.isToken("yes"))

    let named = exchange(
      #"{"name":"n","confirm":"\#(token)"}"#,
      answer: #"{"detail":"again with \#(token)","confirm":"\#(token)"}"#)
    let inQuery = exchange(#"{"name":"n"}"#, answer: #"{"see":"/a/1?confirm=\#(token)"}"#)
    let head = inQuery.head
    inQuery.query.append(Field(name: head.append("confirm"), value: head.append(token)))
    // The host has taken it out of the request; what the handler says of it stays.
    let taken = exchange(#"{"name":"n"}"#, answer: #"{"header":"\#(token)"}"#)
    taken.confirmation = taken.head.append(token)
    let own = exchange(#"{"name":"n","confirm":"yes"}"#, answer: #"{"confirm":true}"#)
    let (report, text) = try record(try traffic(), .init(), [named, inQuery, taken, own])
    #expect(report.recorded == 4 && !text.contains(token), "\(text)")
    // A member of the route's own, of that name, is no token.
    #expect(text.contains(#""confirm":"yes""#) && text.contains(#""confirm":true"#), "\(text)")
  }

  @Test func aPathBelowAVersionIsRedactedAtTheSamePlace() throws {
    let manifest = Self.manifest.replacing(
      #""id":"a","version":"1","#, with: #""id":"a-v2","version":"1","version_of":"a","#)
    try world.load("/a2.so", manifest)
    let traffic = RecordTraffic(automations: world.automations, files: files, log: world.log)
    _ = try traffic.start("a-v2", .init())
    let live = try #require(world.automations.snapshots.current.automation(named: "a-v2"))
    let exchange = exchange("{}")
    exchange.rawPath = exchange.head.append("/v2/a/topsecret")
    live.extras?.recording?.take(exchange, live.routes[0])
    let text = files.text(try traffic.stop("a-v2").name)
    #expect(text.contains("/v2/a/[redacted]") && !text.contains("topsecret"), "\(text)")
  }

  @Test func aRefusedStartMakesNoFileAndDisturbsNobody() throws {
    let traffic = try traffic()
    let first = try traffic.start("a", .init())
    for _ in 1...3 {
      let problem = try #require(throws: Problem.self) { try traffic.start("a", .init()) }
      #expect(problem.code == "recording.running" && problem.status == 409)
    }
    #expect(files.names == [first.name] && traffic.report(of: "a")?.name == first.name)
    let stopped = try traffic.stop("a")
    #expect(!stopped.isRunning && stopped.name == first.name)
    let none = try #require(throws: Problem.self) { try traffic.start("b", .init()) }
    #expect(none.code == "automation.not_found" && traffic.report(of: "b") == nil)
  }

  /// Several admins start and stop: whoever stops one hears of that one, complete.
  @Test func whoStopsOneGetsThatOne() throws {
    let traffic = try traffic(.init(look: .milliseconds(1)))
    let stopped = Monitor<[RecordTraffic.Report]>([])
    let threads = (0..<4).map { _ in
      OSThread("admin") {
        for _ in 0..<50 {
          _ = try? traffic.start("a", .init())
          if let report = try? traffic.stop("a") { stopped.withLock { $0.append(report) } }
        }
      }
    }
    for thread in threads { thread.join() }
    let reports = stopped.withLock { $0 }
    #expect(!reports.isEmpty && reports.allSatisfy { !$0.isRunning && $0.bytes > 0 }, "\(reports)")
    #expect(traffic.report(of: "a")?.isRunning == false && world.automations.recording(of: "a") == nil)
  }

  @Test func aHeaderIsKeptWhenItIsNamedAndNoSecret() throws {
    let traffic = try traffic()
    let (_, text) = try record(traffic, .init(headers: ["x-tenant"]), [exchange("{}")])
    #expect(text.contains("seven"))
    for name in RecordingOptions.secretHeaders {
      let problem = try #require(throws: Problem.self) { try traffic.start("a", .init(headers: [name])) }
      #expect(problem.code == "recording.invalid")
    }
  }

  @Test func aSampleIsBounded() throws {
    let traffic = try traffic(.init(queueBytes: 4096, partBytes: 100, look: .seconds(60)))
    let long = exchange(#"{"name":"\#(String(repeating: "x", count: 200))"}"#)
    let none = exchange("no json at all")
    let left = exchange("{}", status: 499)
    let (report, _) = try record(
      traffic, .init(max: 3), [long, none, left] + (0..<5).map { _ in exchange("{}") })
    // One of the three that were taken cannot be read, so it is not kept either.
    #expect(report.recorded == 2 && report.skipped == 2)
    let (full, _) = try record(traffic, .init(max: 1000), (0..<100).map { _ in exchange("{}") })
    #expect(full.dropped > 0 && full.recorded + full.dropped == 100)
  }

  @Test func aRecordingWhoseSecondsAreOverEndsByItself() throws {
    let traffic = try traffic()
    let name = try traffic.start("a", .init(seconds: 1)).name
    let live = try #require(world.automations.snapshots.current.automation(named: "a"))
    let recording = try #require(live.extras?.recording)
    recording.take(exchange("{}"), live.routes[0])
    // Nobody stops it.
    #expect(eventually { traffic.report(of: "a")?.isRunning == false })
    let report = try #require(traffic.report(of: "a"))
    #expect(report.name == name && report.fault == nil && report.recorded == recording.taken)
    #expect(world.automations.recording(of: "a") == nil)
    #expect(world.automations.snapshots.current.automation(named: "a")?.extras == nil)
    let calls = try RecordedCalls(Array(files.text(name).utf8)).calls
    #expect(calls.count == report.recorded)
    // Who still has it takes nothing more.
    recording.take(exchange("{}"), live.routes[0])
    #expect(recording.taken == report.recorded)
    let problem = try #require(throws: Problem.self) { try traffic.stop("a") }
    #expect(problem.code == "recording.not_running")
    #expect(try traffic.start("a", .init()).isRunning, "and another one can begin")
    _ = try traffic.stop("a")
  }

  @Test func aFullFileEndsTheRecording() throws {
    let traffic = try traffic(.init(fileBytes: 700))
    _ = try traffic.start("a", .init())
    let live = try #require(world.automations.snapshots.current.automation(named: "a"))
    for _ in 0..<10 { live.extras?.recording?.take(exchange("{}"), live.routes[0]) }
    #expect(eventually { traffic.report(of: "a")?.isRunning == false })
    let report = try #require(traffic.report(of: "a"))
    #expect(!report.isRunning && report.fault == "the file is full" && report.bytes <= 700)
    #expect(world.automations.recording(of: "a") == nil)
  }

  @Test func aDiskThatFailsEndsItToo() throws {
    let traffic = try traffic()
    files.fail(with: Problem(503, "storage.full", "no room"))
    _ = try traffic.start("a", .init())
    #expect(eventually { traffic.report(of: "a")?.isRunning == false })
    #expect(traffic.report(of: "a")?.fault == "no room" && world.automations.recording(of: "a") == nil)
  }

  @Test func oneAtATimeAndOverAReload() throws {
    let traffic = try traffic()
    _ = try traffic.start("a", .init())
    #expect(
      try #require(throws: Problem.self) { try traffic.start("a", .init()) }.code == "recording.running")
    try world.reload("a", "/b.so", Self.manifest)
    #expect(world.automations.snapshots.current.automation(named: "a")?.extras?.recording != nil)
    _ = try traffic.stop("a")
    #expect(try #require(throws: Problem.self) { try traffic.stop("a") }.code == "recording.not_running")
    #expect(
      try #require(throws: Problem.self) { try traffic.start("b", .init()) }.code == "automation.not_found")
    for options in [RecordingOptions(seconds: 0), .init(seconds: 3601), .init(max: 0), .init(max: 100_001)] {
      #expect(
        try #require(throws: Problem.self) { try traffic.start("a", options) }.code == "recording.invalid")
    }
  }
}

public import CouncilPlugin

/// A host in a test: loads an automation through the real C table, routes calls to it and keeps its records in memory.
///
/// ```swift
/// let host = try FakeHost(Accounts.self)
/// let created = try host.call("POST", "/accounts/", body: ["name": "Ada", "email": "ada@example.org"])
/// #expect(created.status == 201)
/// ```
///
/// It does what the host does where an author can get it wrong: schemas of path, query, body and answer are enforced, views die
/// when a handler returns (their memory is overwritten), writes from inline handlers are denied, a handler that
/// does not answer is a 500. It does not check keys, scopes or limits. Its clock stands at the start of 2026 and moves
/// by one millisecond per write, and by ``advance(seconds:)``; its ids count up. Calls may come from several threads at once.
public final class FakeHost: Sendable {
  /// Why an automation cannot be loaded.
  public struct LoadError: Error, Sendable, CustomStringConvertible {
    public var description: String
  }

  /// One line that the automation wrote into the log.
  public struct LogLine: Sendable, Equatable {
    public enum Level: UInt32, Sendable {
      case debug, info, warning, error, critical
    }
    public var level: Level
    public var text: String
    /// The path of the request that the line belongs to, if any.
    public var path: String?

    public init(_ level: Level, _ text: String, path: String? = nil) {
      self.level = level
      self.text = text
      self.path = path
    }
  }

  /// What the automation states about itself.
  public let manifest: JSON
  private let id: String
  private let routes: [FakeRoute]
  private let core: FakeCore
  private let plugin: PluginDriver
  private let life = Guarded(Life.active)

  private enum Life { case active, stopped }

  init(config: JSON, driver make: () throws -> PluginDriver) throws {
    let core = FakeCore()
    var isLoaded = false
    defer { if !isLoaded { core.close() } }
    let (plugin, manifest) = try FakeHost.loading.withLock { count in
      count += 1
      let plugin = try make()
      let manifest = try plugin.manifest()
      try ManifestCheck.check(manifest)
      core.declare(manifest)
      if let schema = manifest["config"], let fault = SchemaCheck(schema).fault(in: config) {
        throw LoadError(description: "config\(fault.pointer) \(fault.reason)")
      }
      try plugin.create(in: core, config: config.bytes)
      return (plugin, manifest)
    }
    self.manifest = manifest
    id = manifest["id"]?.string ?? ""
    routes = try (manifest["routes"]?.array ?? []).enumerated().map { try FakeRoute(number: $0, $1) }
    self.core = core
    self.plugin = plugin
    do { try plugin.activate() } catch {
      // Everything is set by now, so deinit runs too: it must find nothing to stop.
      life.withLock { $0 = .stopped }
      try? plugin.stopAndDestroy()
      throw error
    }
    isLoaded = true
  }

  /// Lets time pass, for records that end by themselves.
  public func advance(seconds: Int64) { core.advance(seconds: seconds) }

  /// How many automations were loaded in this process, one at a time.
  private static let loading = Guarded(0)

  deinit {
    if life.withLock({ $0 }) == .active { try? stop() }
  }

  /// Ends the automation as the host does: quiesce, stop, destroy. Calls after it are a programming error. Waits for
  /// asynchronous handlers: call it with `await` where there are any, which this has a twin for.
  public func stop() throws {
    let wasActive = life.withLock { life in
      defer { life = .stopped }
      return life == .active
    }
    precondition(wasActive, "the fake host was stopped before")
    plugin.quiesce()
    defer { core.close() }
    try plugin.stopAndDestroy()
  }

  /// Ends the automation without holding a thread of the pool: tasks of asynchronous handlers need one to end.
  public func stop() async throws {
    try await withCheckedThrowingContinuation { continuation in
      OwnThread.run { continuation.resume(with: Result { try self.stop() }) }
    }
  }

  /// Every line that the automation wrote so far.
  public var log: [LogLine] { core.log }

  /// Results of records operations that the automation holds and has not released. In C, one that stays is a leak.
  public var unreleased: Int { core.unreleased }
}

// MARK: - Calling

extension FakeHost {
  /// Calls a route and waits for the answer; for that of a stream until it ends, or `deadline` passes: then the client leaves,
  /// with what it has (``FakeResponse/events``). `path` starts with the automation's id or below it, and may have a query.
  ///
  /// An asynchronous handler needs a thread of the pool that tests run on: call it with `await`, which this has a twin for.
  public func call(
    _ method: String, _ path: String, query: [String: String] = [:], headers: [String: String] = [:],
    body: JSON? = nil, bytes: [UInt8]? = nil, principal: String = "tester", deadline: Duration = .seconds(10)
  ) throws -> FakeResponse {
    let exchange = begin(method, path, query, headers, bytes ?? body?.bytes ?? [], principal, deadline)
    if !exchange.wait(atMost: deadline) { expire(exchange) }
    return exchange.finish()
  }

  /// Calls a route and waits for the answer, without holding a thread.
  public func call(
    _ method: String, _ path: String, query: [String: String] = [:], headers: [String: String] = [:],
    body: JSON? = nil, bytes: [UInt8]? = nil, principal: String = "tester", deadline: Duration = .seconds(10)
  ) async throws -> FakeResponse {
    let exchange = begin(method, path, query, headers, bytes ?? body?.bytes ?? [], principal, deadline)
    let timer = Task {
      try await Task.sleep(for: deadline)
      expire(exchange)
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in exchange.whenAnswered { continuation.resume() } }
    } onCancel: {
      expire(exchange)
    }
    timer.cancel()
    return exchange.finish()
  }

  /// The host answers in the handler's place, and tells it.
  private func expire(_ exchange: FakeExchange) {
    let problem = FakeResponse.problem(504, "handler.timeout", "The handler did not answer in time.")
    // A stream ends here, with what it has: the client of a test goes away.
    if exchange.answer(problem) || exchange.end() { plugin.cancel(exchange.name) }
  }

  private func begin(
    _ method: String, _ path: String, _ query: [String: String], _ headers: [String: String], _ body: [UInt8],
    _ principal: String, _ deadline: Duration
  ) -> FakeExchange {
    precondition(life.withLock { $0 } == .active, "the fake host was stopped")
    let parts = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let pairs = query.sorted { $0.key < $1.key }.map {
      "\(PercentCoding.encodeSegment($0.key))=\(PercentCoding.encodeSegment($0.value))"
    }
    let text = ((parts.count > 1 ? [String(parts[1])] : []) + pairs).joined(separator: "&")
    var segments = parts[0].utf8.split(separator: UInt8(ascii: "/")).map {
      PercentCoding.decode($0, plusIsSpace: false)
    }
    if segments.first == id { segments.removeFirst() }
    let exchange = FakeExchange(
      core: core, method: method, path: "/" + segments.joined(separator: "/"), queryString: text,
      headers: headers, body: body, principal: principal, deadline: deadline)
    switch FakeRoute.match(routes, method, segments) {
    case .failure(let problem): _ = exchange.answer(problem)
    case .success(let found):
      exchange.parameters = found.parameters
      if let problem = found.route.refusal(of: exchange) {
        _ = exchange.answer(problem)
      } else {
        exchange.route = found.route
        plugin.handle(found.route.number, exchange, isInline: found.route.isInline)
      }
    }
    return exchange
  }
}

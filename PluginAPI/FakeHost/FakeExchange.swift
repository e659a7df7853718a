import CouncilPlugin

/// One request and its answer.
final class FakeExchange: Sendable {
  private struct State: Sendable {
    var parameters: [String: String] = [:]
    var route: FakeRoute?
    var isHandling = false
    var response: FakeResponse?
    /// What is written so far of an answer that is a stream.
    var stream: FakeResponse?
    var observer: (@Sendable () -> Void)?
  }

  let core: FakeCore
  /// The `council_request`; valid until ``finish()``.
  let name: UInt64
  let method: String
  let path: String
  let queryString: String
  /// Names in lower case.
  let headers: [Response.Header]
  let body: [UInt8]
  let principal: String
  let memory = LentMemory()
  private let deadline: ContinuousClock.Instant
  private let state = Guarded(State())
  private let answered = Signal()

  init(
    core: FakeCore, method: String, path: String, queryString: String, headers: [String: String],
    body: [UInt8],
    principal: String, deadline: Duration
  ) {
    self.core = core
    self.method = method
    self.path = path
    self.queryString = queryString
    self.headers = headers.map { Response.Header($0.key.lowercased(), $0.value) }.sorted { $0.name < $1.name }
    self.body = body
    self.principal = principal
    self.deadline = .now + deadline
    name = Exchanges.newName()
    Exchanges.add(self)
    core.keep(memory)
  }

  var parameters: [String: String] {
    get { state.withLock { $0.parameters } }
    set { state.withLock { $0.parameters = newValue } }
  }

  /// Whose declaration the answer is held against; nil for the host's own answers.
  var route: FakeRoute? {
    get { state.withLock { $0.route } }
    set { state.withLock { $0.route = newValue } }
  }

  /// Values of a query parameter, decoded.
  func queryValues(_ name: String) -> [String] { queryPairs.filter { $0.name == name }.map(\.value) }

  var queryPairs: [(name: String, value: String)] {
    queryString.utf8.split(separator: UInt8(ascii: "&")).map { pair in
      let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      return (PercentCoding.decode(pair[..<end]), PercentCoding.decode(pair[end...].dropFirst()))
    }
  }

  // MARK: Life

  var isHandling: Bool { state.withLock { $0.isHandling } }

  func beginHandling() { state.withLock { $0.isHandling = true } }

  /// What was lent is overwritten, so that a plugin that reads it later shows.
  func endHandling() {
    state.withLock { $0.isHandling = false }
    memory.scribble()
  }

  var isDryRun: Bool {
    !["GET", "HEAD"].contains(method)
      && headers.contains { $0.name == "prefer" && Preferences.holdDryRun($0.value) }
  }

  var isOpen: Bool { state.withLock { $0.response == nil && $0.stream == nil } }

  /// False when the request was answered before.
  func answer(_ response: FakeResponse) -> Bool {
    let observer: (@Sendable () -> Void)?? = state.withLock { state in
      if state.response != nil || state.stream != nil { return nil }
      state.response = state.route?.checked(response, to: method) ?? response
      return .some(state.observer)
    }
    guard let observer else { return false }
    answered.send()
    observer?()
    return true
  }

  func whenAnswered(_ observer: @escaping @Sendable () -> Void) {
    let isAnswered = state.withLock { state in
      state.observer = observer
      return state.response != nil
    }
    if isAnswered { observer() }
  }

  func wait(atMost timeout: Duration) -> Bool { answered.wait(atMost: timeout) }

  /// Takes the answer; from now on the request is stale.
  func finish() -> FakeResponse {
    Exchanges.remove(name)
    return state.withLock { $0.response } ?? .problem(500, "plugin.no_answer", "The request has no answer.")
  }

  // MARK: Streams

  var isStreaming: Bool { state.withLock { $0.stream != nil && $0.response == nil } }

  /// False when the request was answered before.
  func begin(_ head: FakeResponse) -> Bool {
    state.withLock { state in
      if state.response != nil || state.stream != nil { return false }
      state.stream = head
      return true
    }
  }

  func write(_ bytes: [UInt8]) -> Bool {
    state.withLock { state in
      guard state.response == nil, state.stream != nil else { return false }
      state.stream?.body += bytes
      return true
    }
  }

  /// The stream is over: what was written is the answer. False when it is over already, or there is none.
  func end(cut: Bool = false) -> Bool {
    let observer: (@Sendable () -> Void)?? = state.withLock { state in
      guard state.response == nil, var stream = state.stream else { return nil }
      stream.isCut = cut
      state.response = stream
      return .some(state.observer)
    }
    guard let observer else { return false }
    answered.send()
    observer?()
    return true
  }

  /// nil once the request is over.
  var remaining: Duration? {
    isOpen || isStreaming ? max(.zero, ContinuousClock.now.duration(to: deadline)) : nil
  }
}

/// The requests that are under way, by name: the functions of `council.http/1` are given nothing else.
enum Exchanges {
  private struct Table: Sendable {
    var next: UInt64 = 0
    var all: [UInt64: FakeExchange] = [:]
  }

  private static let table = Guarded(Table())

  static func newName() -> UInt64 {
    table.withLock { table in
      table.next += 1
      return table.next
    }
  }

  static func add(_ exchange: FakeExchange) { table.withLock { $0.all[exchange.name] = exchange } }
  static func remove(_ name: UInt64) { table.withLock { _ = $0.all.removeValue(forKey: name) } }
  static func find(_ name: UInt64) -> FakeExchange? { table.withLock { $0.all[name] } }
}

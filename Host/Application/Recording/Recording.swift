import Domain
import Kernel
import Synchronization

/// Traffic of one automation on its way into a file: a bounded queue that event threads put exchanges into.
///
/// An event thread never waits for it: where the queue is full, or another thread holds it, the exchange is counted as
/// dropped. What is secret by its header is not even copied.
package final class Recording: Sendable {
  /// One request and its answer, as bytes.
  struct Taken: Sendable {
    var offset: Duration
    var route: LiveRoute
    var method: HTTPMethod
    var path: [UInt8]
    var query: [(name: [UInt8], value: [UInt8])]
    var headers: [(name: [UInt8], value: [UInt8])]
    /// The token that confirmed it; empty without.
    var confirmation: [UInt8]
    var body: [UInt8]
    var status: Int
    var answerHeaders: [(name: [UInt8], value: [UInt8])]
    var answerBody: [UInt8]
  }

  private struct Queue {
    var waiting: [Taken] = []
    var bytes = 0
  }

  package let automation: String
  package let options: RecordingOptions
  let began = Instant.now
  /// What came of it; nil until its file is complete.
  let outcome = Monitor<RecordTraffic.Report?>(nil)
  /// Somebody ends it and waits: its writer looks at once.
  let ending = Monitor(false)
  private let limits: RecordTraffic.Limits
  private let queue = Monitor(Queue())
  private let takenCount = Atomic<Int>(0)
  private let droppedCount = Atomic<Int>(0)
  private let skippedCount = Atomic<Int>(0)
  private let wantedHeaders: [[UInt8]]

  init(_ automation: String, _ options: RecordingOptions, _ limits: RecordTraffic.Limits) {
    self.automation = automation
    self.options = options
    self.limits = limits
    wantedHeaders = (RecordingOptions.requestHeaders + options.headers)
      .filter { !RecordingOptions.secretHeaders.contains($0) }.map { Array($0.utf8) }
  }

  var taken: Int { takenCount.load(ordering: .relaxed) }
  var dropped: Int { droppedCount.load(ordering: .relaxed) }
  var skipped: Int { skippedCount.load(ordering: .relaxed) }
  func skip() { skippedCount.add(1, ordering: .relaxed) }

  var isOver: Bool { isOver(at: .now) }

  /// It has what it may have, or its seconds are over.
  func isOver(at now: Instant) -> Bool {
    taken >= options.max || now - began >= Duration.seconds(options.seconds).nanoseconds
  }

  /// Copies an exchange that is answered. [event]
  package func take(_ exchange: Exchange, _ route: LiveRoute) {
    // A client that left saw no answer.
    guard exchange.status != 499, !isOver else { return }
    let bytes = exchange.head.count + exchange.body.count + exchange.answerBody.count
    guard exchange.body.count <= limits.partBytes, exchange.answerBody.count <= limits.partBytes else {
      return skip()
    }
    // Copied before the lock, which is then held for an instant only.
    let copy = copy(exchange, route)
    for _ in 0..<Recording.attempts {
      let isQueued: Bool? = queue.withLockIfAvailable { queue in
        guard queue.bytes + bytes <= limits.queueBytes, taken < options.max else { return false }
        queue.bytes += bytes
        queue.waiting.append(copy)
        takenCount.add(1, ordering: .relaxed)
        return true
      }
      if isQueued == true { return }
      if isQueued == false { break }
    }
    droppedCount.add(1, ordering: .relaxed)
  }

  private static let attempts = 100

  /// Everything that waits. Copying was the event thread's part; reading and redacting are the writer's.
  func drain() -> [Taken] {
    queue.withLock { queue in
      defer { queue = Queue() }
      return queue.waiting
    }
  }

  private func copy(_ exchange: Exchange, _ route: LiveRoute) -> Taken {
    let (head, answer) = (exchange.head, exchange.answerHead)
    func copied(_ fields: [Field], of arena: Arena) -> [(name: [UInt8], value: [UInt8])] {
      fields.map { (name: Array(arena.span($0.name)), value: Array(arena.span($0.value))) }
    }
    let headers = exchange.headers.filter { field in
      wantedHeaders.contains { head.span(field.name).isEqual(to: $0.span) }
    }
    let (body, answerBody) = (exchange.body, exchange.answerBody)
    return Taken(
      offset: .nanoseconds(Instant.now - began), route: route, method: exchange.method,
      path: Array(head.span(exchange.rawPath)), query: copied(exchange.query, of: head),
      headers: copied(headers, of: head), confirmation: Array(head.span(exchange.confirmation)),
      body: Array(body.span(body.all)), status: exchange.status,
      answerHeaders: copied(exchange.answerHeaders, of: answer),
      answerBody: Array(answerBody.span(answerBody.all)))
  }
}

/// What an admin asked to be recorded.
package struct RecordingOptions: Sendable {
  package var seconds: Int
  /// Exchanges.
  package var max: Int
  /// Names of members and query parameters whose values are not kept, beside those that schemas mark.
  package var redact: [String]
  /// Request headers to keep beside the usual ones, lower case.
  package var headers: [String]

  package init(seconds: Int = 60, max: Int = 1000, redact: [String] = [], headers: [String] = []) {
    self.seconds = seconds
    self.max = max
    self.redact = redact
    self.headers = headers
  }

  /// What may change an answer and tells nothing of who asks.
  package static let requestHeaders = [
    "accept", "accept-language", "content-type", "if-match", "if-none-match", "prefer",
  ]
  /// What an answer is compared by, beside its status and body.
  package static let answerHeaders = ["content-type", "etag", "location", "allow", "cache-control", "link"]
  /// Never kept, whoever asks for it.
  package static let secretHeaders: Set<String> = [
    "authorization", "proxy-authorization", "x-api-key", "cookie", "set-cookie", "x-confirm",
  ]
}

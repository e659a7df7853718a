import Application
import Domain
import HTTPServer
import Kernel
import Patience
import Synchronization
import Testing

/// An application that does what the path says.
final class Scripted: HTTPApplication {
  let maxBody: Int
  private let pending: @Sendable (Exchange) -> Void
  private let events = Monitor<[Event]>([])
  private let changed = Monitor(0)
  private let bytes = Atomic<Int>(0)

  enum Event: Equatable {
    case begun(String)
    case concluded(Int)
    case finished(sent: Bool)
  }

  /// `pending` is called for `/pending`, on the event thread, and sees to an answer.
  init(maxBody: Int = 1024, pending: @escaping @Sendable (Exchange) -> Void = { _ in }) {
    self.maxBody = maxBody
    self.pending = pending
  }

  func begin(_ exchange: Exchange) -> HeadDecision {
    let path = text(exchange, exchange.rawPath)
    note(.begun(path))
    switch path {
    case "/at-once":
      reply(exchange, "{\"at\":\"once\"}")
      return .answer
    case "/stream": return .stream(to: Counter(self), maxBytes: maxBody)
    case "/stream-full": return .stream(to: Full(), maxBytes: maxBody)
    default: return .readBody(maxBytes: maxBody)
    }
  }

  func handle(_ exchange: Exchange) -> Completion {
    switch text(exchange, exchange.rawPath) {
    case "/pending":
      pending(exchange)
      return .pending
    case "/echo":
      let body = exchange.body
      reply(exchange, String(body.span(body.all)))
    case "/query": reply(exchange, text(exchange, exchange.rawQuery))
    case "/head": reply(exchange, describe(exchange))
    case "/large": reply(exchange, String(repeating: "x", count: 8_000_000))
    case "/close":
      reply(exchange, "{}")
      exchange.closes = true
    case "/heavy":
      reply(exchange, "{}")
      let size = Int(text(exchange, exchange.rawQuery)) ?? 0
      exchange.addHeader("X-Heavy", String(repeating: "h", count: size))
    case "/many":
      reply(exchange, "{}")
      for number in 0..<40 { exchange.addHeader("X-\(number)".utf8.span, "value \(number)".utf8.span) }
    case "/split":
      reply(exchange, "{}")
      for (index, byte) in [UInt8(0), 0x09, 0x0A, 0x0D, 0x1F, 0x20, 0x7E, 0x7F, 0x80, 0xFF].enumerated() {
        var value = Array("0123456789abcdef".utf8)
        value[(index * 3) % 16] = byte
        exchange.addHeader("X-\(index)".utf8.span, value.span)
      }
    case "/empty":
      _ = exchange.claim(exchange.handle)
      exchange.status = 204
    default: reply(exchange, "{\"ok\":true}")
    }
    return .answered
  }

  func refuse(_ exchange: Exchange, _ problem: Problem) {
    exchange.answer(problem)
  }

  func conclude(_ exchange: Exchange) -> Completion {
    exchange.addHeader("X-Concluded", "yes")
    note(.concluded(exchange.status))
    return .answered
  }

  func finished(_ exchange: Exchange, sent: Bool) { note(.finished(sent: sent)) }

  /// What sinks took.
  var streamed: Int { bytes.load(ordering: .sequentiallyConsistent) }

  func count(_ more: Int) { bytes.add(more, ordering: .sequentiallyConsistent) }

  var seen: [Event] { events.withLock { $0 } }

  private func note(_ event: Event) {
    events.withLock { $0.append(event) }
    changed.signal(all: true) { _ in }
  }

  /// Waits for an event.
  func hasSeen(_ event: Event, times: Int = 1) -> Bool {
    changed.eventually { _ in
      events.withLock { $0.count { $0 == event } } >= times ? true : nil
    } ?? false
  }

  private func describe(_ exchange: Exchange) -> String {
    let method = exchange.methodIsUnknown ? "?" : exchange.method.rawValue
    let headers = exchange.headers.map { text(exchange, $0.name) + "=" + text(exchange, $0.value) }
    let known = KnownHeader.allCases.filter { exchange.has($0) }.map {
      "\($0):\(exchange.knownCount[$0.rawValue])" + text(exchange, exchange[$0])
    }
    return ([method] + headers + ["--"] + known).joined(separator: "\n")
  }
}

/// Claims and writes an answer of status 200; false when somebody else has answered.
@discardableResult
func reply(_ exchange: Exchange, _ text: String) -> Bool {
  guard exchange.claim(exchange.handle) else { return false }
  exchange.status = 200
  exchange.addHeader("Content-Type", "application/json")
  exchange.answerBody.append(text)
  return true
}

func text(_ exchange: Exchange, _ range: ByteRange) -> String {
  let head = exchange.head
  return String(head.span(range))
}

final class Counter: BodySink {
  private let application: Scripted

  init(_ application: Scripted) { self.application = application }

  func write(_ bytes: Span<UInt8>) throws(Problem) { application.count(bytes.count) }
}

final class Full: BodySink {
  func write(_ bytes: Span<UInt8>) throws(Problem) { throw Problem(507, "disk.full", "No room.") }
}

final class SilentLog: LogSink {
  private let least = Monitor(LogLevel.debug)
  let lines = Monitor<[String]>([])

  var level: LogLevel {
    get { least.withLock { $0 } }
    set { least.withLock { $0 = newValue } }
  }

  func write(_ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]) {
    lines.withLock { $0.append(message) }
  }
}

extension String {
  /// How many parts `separator` leaves.
  func components(of separator: String) -> Int {
    split(separator: separator, omittingEmptySubsequences: false).count
  }
}

/// The configuration of a test's server: a free port, two threads, and what `change` sets.
func settings(_ change: (inout HTTPServerConfiguration) -> Void = { _ in }) -> HTTPServerConfiguration {
  var configuration = HTTPServerConfiguration(.address("127.0.0.1", port: 0))
  configuration.threads = 2
  change(&configuration)
  return configuration
}

/// A clock that stands, however slow the machine is, until a test moves it.
final class StoppedClock: Sendable {
  private let nanoseconds = Atomic<Int64>(1_000_000_000)

  var now: Instant { Instant(nanoseconds: nanoseconds.load(ordering: .sequentiallyConsistent)) }

  func advance(by step: Duration) { nanoseconds.add(step.nanoseconds, ordering: .sequentiallyConsistent) }

  /// Moves on, a little at a time, until something happens; false when nothing does.
  func advances(until condition: () -> Bool) -> Bool {
    eventually {
      advance(by: .milliseconds(5))
      return condition()
    }
  }
}

/// Runs a server for the length of `body`.
func withServer<Result>(
  _ application: Scripted = Scripted(), with configuration: HTTPServerConfiguration = settings(),
  on clock: StoppedClock? = nil, _ body: (HTTPServer, Int) throws -> Result
) throws -> Result {
  let now: @Sendable () -> Instant = if let clock { { clock.now } } else { { .now } }
  let server = HTTPServer(configuration, application: application, log: SilentLog(), now: now)
  try server.start()
  defer { server.stop(within: .zero) }
  return try body(server, server.port)
}

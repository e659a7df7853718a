import Application
import Doubles
import Kernel
import Patience

@testable import Gateway

/// Holds the calls of a handler that answers later.
final class HeldCalls: Sendable {
  static let manifest = """
    {"id":"a","version":"1","requires":["council.stream/1"],"routes":[
     {"method":"GET","path":"/long","operation":"long","deadline_ms":120000,"response":{"needs":"name"}},
     {"method":"GET","path":"/brief","operation":"brief"},
     {"method":"GET","path":"/open","operation":"open","deadline_ms":120000,"public":true},
     {"method":"POST","path":"/long","operation":"change","deadline_ms":120000,"body":{"type":"object"},"dry_run":true},
     {"method":"DELETE","path":"/long","operation":"remove","deadline_ms":120000,"confirm":true},
     {"method":"GET","path":"/news","operation":"news","deadline_ms":120000,"stream":true}]}
    """
  static let answer = #"{"name":"n"}"#

  private let calls = Monitor<[(Exchange, UInt64)]>([])
  func hold(_ exchange: Exchange) -> Completion {
    calls.withLock { $0.append((exchange, exchange.handle)) }
    return .pending
  }
  var count: Int { calls.withLock { $0.count } }
  var exchange: Exchange? { calls.withLock { $0.last?.0 } }

  /// Answers the last one, or another. False when somebody else has.
  func answer(_ body: String = HeldCalls.answer, number: Int? = nil) -> Bool {
    let held = calls.withLock { calls in number.map { calls[$0] } ?? calls.last }
    guard let (exchange, handle) = held, exchange.claim(handle) else { return false }
    exchange.status = 200
    exchange.addHeader("Content-Type", "application/json")
    exchange.answerBody.append(body)
    exchange.deliver()
    return true
  }
}

extension Site {
  /// Handlers that are held, or that answer at once.
  static func ofJobs(
    _ limits: Jobs.Limits, _ held: HeldCalls?, ownPaths: [any OwnPath] = [], anonymous: Int = 1,
    answerCharacters: Int = 99_999
  ) -> Site {
    let site = Site(
      ownPaths: ownPaths, answerCharacters: answerCharacters, jobs: limits, anonymous: anonymous)
    site.serve(
      behaviour: held.map { held in .handles { held.hold($0) } }
        ?? .says(200, "application/json", HeldCalls.answer), manifest: HeldCalls.manifest)
    return site
  }
}

/// A request as its connection sees it: it waits.
final class WaitingRequest {
  let site: Site
  let exchange: Exchange
  private let woken = Monitor(false)

  init(
    _ site: Site, _ method: String = "GET", _ target: String = "/a/long", body: String = "", key: String?,
    headers: [(String, String)] = [], peer: (UInt64, UInt64) = (0, 1)
  ) {
    self.site = site
    exchange = site.exchange(
      method, target, headers: headers + (key.map { [("authorization", "Bearer \($0)")] } ?? []))
    exchange.peer = peer
    exchange.wake = { [woken] _ in woken.signal { $0 = true } }
    guard case .readBody = site.gateway.begin(exchange) else { preconditionFailure("it is refused") }
    exchange.body.append(body)
    precondition(site.gateway.handle(exchange) == .pending, "it is answered")
    // One that has become a job meanwhile is answered already, and nobody wakes it.
    if !exchange.park() { woken.signal { $0 = true } }
  }

  var isWoken: Bool { woken.withLock { $0 } }

  struct Answer {
    var status: Int
    var headers: [(String, String)]
    var body: JSONValue?

    func header(_ name: String) -> String? { headers.first { $0.0 == name }?.1 }
  }

  func conclude() -> Answer {
    precondition(woken.eventually { $0 ? true : nil } == true, "no answer comes")
    site.gateway.conclude(exchange)
    let (head, body) = (exchange.answerHead, exchange.answerBody)
    let answer = Answer(
      status: exchange.status,
      headers: exchange.answerHeaders.map { (String(head.span($0.name)), String(head.span($0.value))) },
      body: try? JSONValue.parse(body.span(body.all)))
    exchange.close()
    site.gateway.finished(exchange, sent: true)
    return answer
  }
}

import Application
import Kernel
import Synchronization

/// What is wrong with the answer to one call, or with none.
struct Finding: Error {
  enum Kind: String, Sendable {
    /// No answer: the connection ended without one.
    case lost
    /// 504: the handler did not answer in time.
    case late
    /// 5xx, or a good answer to a request that the schemas refuse.
    case wrong
    /// A body that breaks the declared schema.
    case shape
  }

  var kind: Kind
  var text: String
  var call: PluginCall
}

/// Sends calls and judges their answers. [any thread]
final class Caller: Sendable {
  /// Of one call, above every deadline of a route.
  private static let patience: Duration = .seconds(20)

  let url: String
  let key: String
  private let transport: any HTTPTransport
  private let maker: CallMaker
  private let count = Atomic<Int>(0)
  private let answered = Monitor((byClass: [Int: Int](), succeeded: Set<Int>()))

  init(url: String, key: String, transport: any HTTPTransport, maker: CallMaker) {
    self.url = url
    self.key = key
    self.transport = transport
    self.maker = maker
  }

  /// How many calls were sent.
  var calls: Int { count.load(ordering: .relaxed) }

  /// `2xx 12, 4xx 3`: what came since the last time this was asked.
  func takeTally() -> String {
    answered.withLock { answered in
      defer { answered.byClass = [:] }
      return answered.byClass.sorted { $0.key < $1.key }.map { "\($0.key)xx \($0.value)" }.joined(
        separator: ", ")
    }
  }

  /// Routes that answered 2xx.
  var succeeded: Set<Int> { answered.withLock { $0.succeeded } }

  /// Of a call that is to be confirmed, the answer that comes then.
  func send(
    _ call: PluginCall, within limit: Duration = Caller.patience
  ) -> Result<IncomingAnswer, TransportFailure> {
    switch sendOnce(call, confirmedBy: nil, within: limit) {
    case .success(let answer):
      // The handler is what is tested: what its route wants to be confirmed is.
      guard call.needsConfirmation, let token = answer.askedConfirmation else { return .success(answer) }
      return sendOnce(call, confirmedBy: token, within: limit)
    case .failure(let failure): return .failure(failure)
    }
  }

  private func sendOnce(
    _ call: PluginCall, confirmedBy token: String?, within limit: Duration
  ) -> Result<IncomingAnswer, TransportFailure> {
    count.add(1, ordering: .relaxed)
    var headers = [(name: "Authorization", value: "Bearer " + key)]
    if call.body != nil { headers.append(("Content-Type", "application/json")) }
    if let token { headers.append(("X-Confirm", token)) }
    let request = OutgoingRequest(
      call.method, url + call.target, headers: headers, body: call.body.map { .bytes($0) } ?? .none,
      timeout: limit)
    do throws(TransportFailure) {
      let answer = try transport.send(request)
      answered.withLock { answered in
        answered.byClass[answer.status / 100, default: 0] += 1
        if answer.status / 100 == 2 { answered.succeeded.insert(call.route) }
      }
      return .success(answer)
    } catch { return .failure(error) }
  }

  /// Sends one and says what is wrong with what came of it.
  func check(_ call: PluginCall) -> Finding? {
    switch send(call) {
    case .failure(.timedOut): return Finding(kind: .late, text: "no answer in 20 s", call: call)
    case .failure(.unreachable(let why)):
      return Finding(kind: .lost, text: "the connection ended without an answer (\(why))", call: call)
    case .failure(let failure):
      return Finding(kind: .wrong, text: "no answer that can be read: \(failure)", call: call)
    case .success(let answer):
      maker.learn(answer)
      return judge(call, answer)
    }
  }

  func judge(_ call: PluginCall, _ answer: IncomingAnswer) -> Finding? {
    let code = (try? JSONValue.parse(answer.body.span))?["code"]?.string
    if answer.status == 504 {
      return Finding(
        kind: .late, text: "504 \(code ?? ""): the handler does not answer by its deadline", call: call)
    }
    if answer.status >= 500 {
      let detail = (try? JSONValue.parse(answer.body.span))?["detail"]?.string ?? ""
      return Finding(kind: .wrong, text: "\(answer.status) \(code ?? "") \(detail.prefix(300))", call: call)
    }
    if call.isValid == false, answer.status < 400 {
      return Finding(
        kind: .wrong, text: "\(answer.status) for a body that the route's schema refuses", call: call)
    }
    return maker.violation(call, answer).map {
      Finding(kind: .shape, text: "\(answer.status): \($0)", call: call)
    }
  }
}

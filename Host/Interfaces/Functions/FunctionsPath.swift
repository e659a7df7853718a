package import Application
import Domain
package import Kernel

/// `/functions.json`, the routes as function tools, and `/functions/call`, which runs one by its name.
///
/// A call becomes the request that it stands for (``Exchange/become(_:target:body:)``) and passes every step that the
/// route's own path does. Its answer is one envelope, whatever came of it, under the route's own HTTP status: who feeds
/// results back to a model passes the body on as it is, and everything between that looks at the status (retries, back-off
/// by `Retry-After`, a proxy's figures) sees what happened.
package final class FunctionsPath: OwnPath {
  package struct Facts: Sendable {
    /// What callers without a key see of the list.
    package var anonymous: AnonymousView
    /// A longer list is refused with 422.
    package var maxBytes: Int
    /// How long a request waits for the list.
    package var patience: Duration
    /// Of a call.
    package var maxBodyBytes: Int
    /// Of a call, and of its arguments.
    package var jsonDepth: Int
    /// After what time a call becomes a job; nil: none does.
    package var jobAfter: Duration?
    /// How long the events of a stream are collected.
    package var streamTime: Duration

    package init(
      anonymous: AnonymousView = .all, maxBytes: Int = 64 << 20, patience: Duration = .seconds(30),
      maxBodyBytes: Int = 1 << 20, jsonDepth: Int = JSONDocument.defaultMaxDepth, jobAfter: Duration? = nil,
      streamTime: Duration = .seconds(40)
    ) {
      self.streamTime = streamTime
      self.anonymous = anonymous
      self.maxBytes = maxBytes
      self.patience = patience
      self.maxBodyBytes = maxBodyBytes
      self.jsonDepth = jsonDepth
      self.jobAfter = jobAfter
    }
  }

  package let routes: [OwnRoute]
  private let facts: Facts
  private let documents: Documents
  private let digests: any Digests
  private let threads: ThreadSlots<FunctionScratch>

  package init(_ facts: Facts, documents: Documents, digests: any Digests) {
    self.facts = facts
    self.documents = documents
    self.digests = digests
    let depth = facts.jsonDepth
    threads = ThreadSlots { _ in FunctionScratch(depth: depth) }
    routes = [
      OwnRoute(.get, "/functions.json", patience: facts.patience),
      OwnRoute(
        .post, "/functions/call", maxBodyBytes: facts.maxBodyBytes, manual: FunctionsPath.callManual),
    ]
  }

  package func answer(
    _ exchange: Exchange, _ number: Int, _ caller: Caller, _ snapshot: Snapshot
  ) throws(Problem) -> OwnAnswer {
    if number == 0 { return try list(exchange, caller, snapshot) }
    do throws(Problem) {
      return try threads.current.turn(exchange, caller, snapshot)
    } catch {
      // Also what is no call is answered in the envelope: a loop has one shape to read.
      exchange.answer(error)
      if error.status == 401 { exchange.addHeader("WWW-Authenticate", OwnRoute.challenge) }
      threads.current.envelop(exchange)
      return .answered
    }
  }

  /// A stream becomes one answer, too: see ``FunctionStream``.
  package func wrap(_ exchange: Exchange, _ call: RouteCall) {
    let scratch = threads.current
    guard let stream = exchange.stream else { return scratch.envelop(exchange) }
    stream.translate(
      by: FunctionStream(
        status: exchange.status, isEvents: stream.kind == .events, type: scratch.contentType(exchange),
        maxBytes: call.answerLimit, depth: facts.jsonDepth),
      longest: facts.streamTime)
    scratch.envelopHead(exchange)
  }

  private func list(_ exchange: Exchange, _ caller: Caller, _ snapshot: Snapshot) throws(Problem) -> OwnAnswer
  {
    let wish = try FunctionList.Wish(exchange)
    let view = DocumentView(caller, facts.anonymous)
    try view.refuseStrangers()
    let name = Documents.Name(
      wish.name, view.audience, version: snapshot.version)
    let isLater = try documents.answer(exchange, name) {
      [digests, facts] () throws(Problem) in
      try FunctionList(wish, maxBytes: facts.maxBytes, jobAfter: facts.jobAfter).document(
        snapshot, view, digests: digests)
    }
    return isLater ? .pending : .answered
  }
}

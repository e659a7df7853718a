package import Kernel

/// What the edge does after it showed an application the head of a request.
package enum HeadDecision {
  /// Read the body, at most so many bytes, into `exchange.body`; a longer one is answered 413 by the edge.
  case readBody(maxBytes: Int)
  /// Hand the body's bytes to the sink as they come.
  case stream(to: any BodySink, maxBytes: Int)
  /// The answer is in the exchange already: send it and read no body.
  case answer
}

/// What `handle` did with a request.
package enum Completion {
  /// The answer is in the exchange.
  case answered
  /// Somebody answers later: claims the exchange, writes the answer, calls ``Exchange/deliver()``.
  case pending
}

/// Takes a body in pieces: an upload on its way to a file. [event]
package protocol BodySink: AnyObject {
  func write(_ bytes: Span<UInt8>) throws(Problem)
}

/// What answers the requests of one listener. Every method is called on event threads, concurrently for
/// different exchanges, in this order for each: begin, handle (unless begin answered), conclude, finished.
/// A connection that dies on the way skips to finished. What the edge refuses before it has a request line goes through
/// refuse, conclude and finished alone, on a thread of the edge.
package protocol HTTPApplication: AnyObject, Sendable {
  func begin(_ exchange: Exchange) -> HeadDecision
  func handle(_ exchange: Exchange) -> Completion
  /// Writes the answer to a request that the edge itself refuses: a body too long (413), a sink that threw; also from
  /// the thread that stops the server.
  func refuse(_ exchange: Exchange, _ problem: Problem)
  /// An answer is in the exchange and about to be sent: adds what every answer carries, audits, measures.
  ///
  /// `.pending`: nothing was added, for the handler's answer is not the one to send and another is on its way. The edge waits
  /// for it as after ``handle(_:)``, and calls again. Only of answers to requests that ``handle(_:)`` saw.
  @discardableResult func conclude(_ exchange: Exchange) -> Completion
  /// The answer was sent, or the connection died before. The exchange is reset afterwards.
  func finished(_ exchange: Exchange, sent: Bool)
}

/// The exchanges that exist, by slot: how a `council_request` finds its exchange. An exchange is never
/// freed while the host lives, so a stale name finds a live object with another tag.
package protocol ExchangeTable: AnyObject, Sendable {
  func exchange(slot: UInt32) -> Exchange?
  /// Every exchange made so far has a slot below this.
  var slotCount: Int { get }
}

/// Where an exchange comes from that no connection holds: for a call that its request does not wait for. [any]
package protocol SpareExchanges: AnyObject, Sendable {
  /// An exchange without a request; nil when all are in use.
  func take() -> Exchange?
  /// Takes back an exchange that was reset.
  func give(_ exchange: Exchange)
}

extension ExchangeTable {
  /// The exchange that a `council_request` points into; it may have gone on to another request. [any]
  package func exchange(named name: UInt64) -> Exchange? {
    let slot = UInt32(truncatingIfNeeded: name)
    return slot > 0 ? exchange(slot: slot - 1) : nil
  }
}

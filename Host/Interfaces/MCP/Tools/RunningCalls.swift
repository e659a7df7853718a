import Application
import Kernel

/// The calls that clients of the era before may take back (`notifications/cancelled`), by what their ids are unique in: the
/// caller, and its session. A call without a session is not here, for another client with the same key may have the same id.
///
/// [any] Only calls that may take their time are noted: those that run on the event thread are over by then.
final class RunningCalls: Sendable {
  struct Name: Hashable, Sendable {
    /// The key, or the address of a caller without one.
    var caller: String
    var session: String
    /// As JSON.
    var id: String
  }

  private struct State {
    var calls: [Name: (exchange: Exchange, handle: UInt64)] = [:]
    /// In the order in which they began, from `next` on: the oldest makes room. Most of them are over.
    var order: [Name] = []
    var next = 0
  }

  private let state = Monitor(State())
  private let most: Int

  /// `most` calls are known at a time.
  init(most: Int) { self.most = most }

  func note(_ name: Name, _ exchange: Exchange) {
    let handle = exchange.handle
    state.withLock { state in
      guard most > 0 else { return }
      if state.calls.updateValue((exchange, handle), forKey: name) != nil { return }
      guard state.order.count == most else { return state.order.append(name) }
      state.calls[state.order[state.next]] = nil
      state.order[state.next] = name
      state.next = (state.next + 1) % most
    }
  }

  /// Ends the call: its handler is told, and its request answered, by the thread that looks after deadlines. Nothing
  /// happens to one that is over, or that nobody knows; nor to one with an idempotency key, whose answer is kept for who
  /// asks again.
  func cancel(_ name: Name) {
    guard let (exchange, handle) = state.withLock({ $0.calls[name] }) else { return }
    // The wait is read first: it is the call's own if the exchange is still the call's afterwards.
    let waiting = exchange.waiting
    if let stream = exchange.stream(of: handle) {
      stream.stop()
    } else if let waiting, exchange.isCurrent(handle) {
      _ = exchange.abandonWaiting(until: waiting.until)
    }
  }

  /// How many are known. [any]
  var count: Int { state.withLock { $0.calls.count } }
}

extension MCPRequest {
  /// The name of a call of this client's with that id; nil outside a session.
  func call(_ id: Arena) -> RunningCalls.Name? {
    let head = exchange.head
    for field in exchange.headers
    where field.value.count > 0 && field.value.count <= MCPRequest.maxSessionBytes
      && head.span(field.name).isEqual(to: "mcp-session-id")
    {
      return .init(
        caller: callerName, session: String(head.span(field.value)), id: String(id.span(id.all)))
    }
    return nil
  }

  /// Of a session's name; a longer one is none of this host's.
  private static let maxSessionBytes = 128
}

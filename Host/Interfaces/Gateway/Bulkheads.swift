import Application
import Domain
import Kernel

// The step before the handler: what one automation may have, so that the others keep theirs.

extension Gateway {
  /// nil: the call may begin. [event]
  @inline(__always)
  func refusal(_ exchange: Exchange, _ call: Call, _ account: AutomationAccount, isInline: Bool) -> Problem? {
    let seconds = account.secondsClosed(at: exchange.started)
    if seconds > 0 {
      account.add(1, to: .overBudget)
      return AutomationAccount.overBudget(seconds)
    }
    // An inline call that answers on its thread is over before another one could count it: it looks, and does not
    // write into what all threads share.
    if isInline ? account.hasRoom : account.enter() {
      call.entered = isInline ? nil : account
      return nil
    }
    account.add(1, to: .overloaded)
    return AutomationAccount.overloaded
  }

  /// Calls the handler. [event]
  @inline(__always)
  func run(_ exchange: Exchange, _ call: Call, _ route: LiveRoute, began: Instant, _ thread: EventThread)
    -> Completion
  {
    let account = route.generation.account
    let isInline = route.isInline
    if let problem = refusal(exchange, call, account, isInline: isInline) {
      refuse(exchange, problem)
      return .answered
    }
    // Before the handler, an inline one too: when that overruns, the answer is the watch's, and its own comes too late.
    watch(exchange, route)
    account.add(1, to: .calls)
    let plugin = route.generation.plugin
    guard isInline else { return plugin.handle(exchange, route: route.number, execution: .blocking) }
    let isSampled = thread.inline.begin(route, at: began)
    inlineWatch.wakeIfDozing()
    let completion: Completion
    if isSampled {
      let before = Instant.now
      completion = plugin.handle(exchange, route: route.number, execution: .inline)
      inlineWatch.endSampled(thread.inline, route, Instant.now - before)
    } else {
      completion = plugin.handle(exchange, route: route.number, execution: .inline)
      inlineWatch.end(thread.inline, route)
    }
    if case .pending = completion {
      account.enterLate()
      call.entered = account
    }
    return completion
  }
}

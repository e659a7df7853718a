import Application

/// What /metrics says of what each automation uses: read when somebody asks.
enum UsageMetrics {
  static func register(with meter: any RequestMeter, _ usage: UsageBook) {
    func each(
      _ name: String, _ help: String,
      _ read: @escaping @Sendable (AutomationAccount) -> [(String, String, Double)]
    ) {
      let register = name.hasSuffix("_total") ? meter.counter : meter.gauge
      register(name, help) {
        usage.accounts.flatMap { account in
          read(account).map { label, value, number in
            GaugeSample(
              [("council_automation", account.automation)] + (label.isEmpty ? [] : [(label, value)]), number)
          }
        }
      }
    }
    @Sendable func seconds(_ account: AutomationAccount, _ counter: AutomationAccount.Counter) -> Double {
      Double(account.total(counter)) / 1_000_000_000
    }
    each(
      "council_automation_cpu_seconds_total",
      "CPU time in an automation's calls: of workers, and, sampled, of event threads in inline handlers."
    ) {
      [("thread", "worker", seconds($0, .workerTime)), ("thread", "event", seconds($0, .inlineTime))]
    }
    each(
      "council_automation_store_seconds_total",
      "Time in which an automation's calls were in its record store."
    ) {
      [("", "", seconds($0, .storeTime))]
    }
    each("council_automation_calls_total", "Calls of an automation's handlers.") {
      [("", "", Double($0.total(.calls)))]
    }
    each(
      "council_automation_refused_calls_total",
      "Calls that an automation's limits refused with 503, by reason."
    ) {
      [
        ("reason", "overloaded", Double($0.total(.overloaded))),
        ("reason", "over_budget", Double($0.total(.overBudget))),
      ]
    }
    each("council_automation_overruns_total", "Calls that were not answered by their deadline.") {
      [("", "", Double($0.total(.overruns)))]
    }
    each("council_automation_blocked_inline_calls_total", "Inline calls that blocked their event thread.") {
      [("", "", Double($0.total(.blocked)))]
    }
    each(
      "council_automation_calls_in_flight",
      "Calls that wait for an answer, but for inline ones on their thread."
    ) {
      [("", "", Double($0.callsInFlight))]
    }
    each("council_automation_worker_calls", "Calls of an automation at the workers, by state.") {
      let queue = $0.workerQueue
      return [
        ("state", "waiting", Double(queue.waiting)), ("state", "running", Double(queue.running)),
        ("state", "overrunning", Double(queue.overrunning)),
      ]
    }
  }
}

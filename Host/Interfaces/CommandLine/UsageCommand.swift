import Application
import Kernel

/// `council automations top`
enum UsageCommand {
  static let top = Command(
    words: ["automations", "top"],
    summary: "Shows what each automation uses: the most CPU time in the last minute first.",
    notes: [
      "CPU is that of workers and, sampled, of inline calls. Beside CPU/MIN, figures count since the host started.",
      "CLOSED is how long calls are still refused because a budget of time is used up.",
    ],
    endpoints: [.showUsage], run: run)

  private static func run(_ invocation: Invocation) throws {
    let document = try AdminClient(invocation).call(.showUsage)
    invocation.show(document) { document in
      document.items.isEmpty ? "No automation was loaded." : table(document.items).text(invocation.style)
    }
  }

  static func table(_ items: [JSONValue]) -> Table {
    var table = Table([
      "ID", "CPU/MIN MS", "CPU MS", "STORE MS", "CALLS", "IN FLIGHT", "WAITING", "WORKERS", "OVERLOADED",
      "OVER BUDGET", "OVERRUNS", "BLOCKED", "CLOSED S",
    ])
    for item in items {
      table.add(
        [
          "automation", "cpu_ms_last_minute", "cpu_ms", "store_ms", "calls", "calls_in_flight", "waiting",
          "workers", "overloaded", "over_budget", "overruns", "blocked_inline", "closed_for_s",
        ].map { item.cell($0) })
    }
    return table
  }
}

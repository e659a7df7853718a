import Application
import Domain
import Gateway
import HTTPServer
import PluginRuntime
import Supervision

/// What /metrics says beside the counts of requests: read when somebody asks.
enum HostGauges {
  /// Of the generations that run in processes of their own.
  private static let runnerGauges: [(String, String, @Sendable (RunnerFigures) -> Double)] = [
    ("council_runner_up", "Whether a runner process serves.", { $0.state == .serving ? 1 : 0 }),
    ("council_runner_crashes", "Ends of runner processes that nobody asked for.", { Double($0.crashes) }),
    ("council_runner_restarts", "Runner processes that took the place of another.", { Double($0.restarts) }),
    ("council_runner_cpu_seconds", "Processor time of runner processes.", { $0.cpuSeconds }),
    ("council_runner_resident_bytes", "Memory of runner processes.", { Double($0.residentBytes) }),
    ("council_runner_calls_inside", "Calls that a runner works on.", { Double($0.callsInside) }),
  ]

  static func register(with meter: any RequestMeter, begin: Begin, crashes: CrashRecord) {
    meter.counter(
      "council_host_restarts_total", help: "Hosts that ended unasked and were followed by another."
    ) {
      [GaugeSample([], Double(begin.restarts))]
    }
    meter.counter("council_host_handovers_total", help: "Hosts that handed over to a fresh one.") {
      [GaugeSample([], Double(begin.handOvers + (begin.isStandby ? 1 : 0)))]
    }
    meter.counter(
      "council_automation_crashes_total", help: "Crashes of the host by whose code it was, of this home."
    ) {
      crashes.byAutomation.map { GaugeSample([("council_automation", $0.automation)], Double($0.count)) }
    }
  }

  static func register(
    with meter: any RequestMeter, automations: Automations, servers: [(name: String, server: HTTPServer)],
    workers: Workers, keys: KeyTable
  ) {
    meter.gauge("council_generation_number", help: "The generation that serves, by automation.") {
      automations.live.map {
        GaugeSample([("council_automation", $0.generation.manifest.id)], Double($0.generation.record.number))
      }
    }
    meter.gauge(
      "council_automation_state",
      help:
        "1 for the state an automation is in: it serves, an earlier generation stands in, or it is left out."
    ) {
      automations.standings.sorted { $0.key < $1.key }.flatMap { id, standing in
        Standing.allCases.map {
          GaugeSample([("council_automation", id), ("state", $0.rawValue)], $0 == standing ? 1 : 0)
        }
      }
    }
    meter.gauge("council_generations", help: "Generations in memory that may still be called, by state.") {
      [
        GaugeSample([("state", "active")], Double(automations.live.count)),
        GaugeSample([("state", "draining")], Double(automations.retiring.count)),
        GaugeSample([("state", "stuck")], Double(automations.stuck.count)),
      ]
    }
    meter.gauge("council_requests_inside", help: "Requests that an automation works on now.") {
      automations.live.map {
        let id = $0.generation.manifest.id
        let canary = automations.canary(of: id)?.candidate.generation.requestsInside ?? 0
        return GaugeSample([("council_automation", id)], Double($0.generation.requestsInside + canary))
      }
    }
    meter.gauge(
      "council_answer_faults",
      help: "Answers of the serving generation that are not as its manifest declares, by what became of them."
    ) {
      automations.live.flatMap { automation in
        let id = automation.generation.manifest.id
        return [
          GaugeSample(
            [("council_automation", id), ("fault", "refused")],
            Double(automation.generation.answers(.refused))),
          GaugeSample(
            [("council_automation", id), ("fault", "undeclared")],
            Double(automation.generation.answers(.undeclared))),
        ]
      }
    }
    meter.gauge("council_http_connections", help: "Open connections, by listener.") {
      servers.map { GaugeSample([("listener", $0.name)], Double($0.server.connectionCount)) }
    }
    meter.gauge("council_streams", help: "Answers that are streams, open now, by listener.") {
      servers.map { GaugeSample([("listener", $0.name)], Double($0.server.exchanges.streams.openCount)) }
    }
    meter.gauge("council_worker_threads", help: "Threads for handlers that block.") {
      let threads = workers.threads
      return [
        GaugeSample([("state", "alive")], Double(threads.alive)),
        GaugeSample([("state", "overrunning")], Double(threads.overrunning)),
      ]
    }
    for (name, help, read) in runnerGauges {
      meter.gauge(name, help: help) {
        let live = automations.live.map { ($0.generation, "") }
        return (live + automations.canaries.map { ($0.candidate.generation, "canary-") }).flatMap {
          generation, prefix in
          generation.plugin.runners.enumerated().map { number, figures in
            GaugeSample(
              [("council_automation", generation.manifest.id), ("runner", "\(prefix)\(number)")],
              read(figures))
          }
        }
      }
    }
    meter.gauge("council_abandoned_threads", help: "Threads left behind in plugins that hang.") {
      [GaugeSample([], Double(LoadPlugin.abandonedThreads))]
    }
    meter.gauge("council_keys", help: "Keys in memory, revoked and expired ones included.") {
      [GaugeSample([], Double(keys.count))]
    }
  }

  static func register(with meter: any RequestMeter, jobs: Jobs) {
    meter.gauge("council_jobs", help: "Calls that became jobs, by state: they run, or their answer is kept.")
    {
      let count = jobs.count
      return [
        GaugeSample([("state", "running")], Double(count.running)),
        GaugeSample([("state", "kept")], Double(count.kept)),
      ]
    }
  }

  /// Of each side of a canary.
  private static let canaryGauges: [(String, String, @Sendable (CanaryFigures) -> Double)] = [
    (
      "council_canary_requests", "Requests of a running canary's comparison, by side.",
      { Double($0.requests) }
    ),
    ("council_canary_errors", "Of these, those with status 500 and above.", { Double($0.errors) }),
  ]

  static func register(with meter: any RequestMeter, automations: Automations, change: ChangeAutomation) {
    meter.gauge("council_canary_running", help: "Whether a canary of the automation runs.") {
      automations.live.map { live in
        let id = live.generation.manifest.id
        return GaugeSample([("council_automation", id)], automations.canary(of: id) == nil ? 0 : 1)
      }
    }
    for (name, help, read) in canaryGauges {
      meter.gauge(name, help: help) {
        automations.canaries.flatMap { canary in
          let (new, old) = canary.figures
          return [("new", new), ("old", old)].map { side, figures in
            GaugeSample([("council_automation", canary.automation), ("side", side)], read(figures))
          }
        }
      }
    }
    meter.counter("council_canary_ends_total", help: "Canaries that ended, by how.") {
      let ends = change.canaryEnds
      return CanaryReport.State.allCases.filter { $0 != .running }.map {
        GaugeSample([("outcome", $0.rawValue)], Double(ends[$0] ?? 0))
      }
    }
  }
}

import Application
import Domain
import Kernel
import Testing

@testable import council

/// Every limit of the host can be set, and every setting sets something.
@Suite struct SettingsTests {
  /// All that a host is made with, by name.
  private static func everything(_ settings: HostSettings) -> [(name: String, value: Any)] {
    [
      ("gateway", settings.gateway), ("admin", settings.admin), ("audit", settings.audit),
      ("workers", settings.workers), ("drain", settings.drain), ("changes", settings.changes),
      ("routes", settings.routes), ("automations", settings.automations),
      ("publicListener", settings.publicListener),
      ("adminListener", settings.adminListener), ("defaultLimit", settings.defaultLimit),
      ("validation", settings.validation), ("probe", settings.probe), ("loading", settings.loading),
      ("sqlite", settings.sqlite), ("idempotency", settings.idempotency),
      ("anonymous keys", settings.anonymousKeys),
      ("confirmLifetime", settings.confirmLifetime), ("confirmMaxUsed", settings.values.confirmMaxUsed),
      ("schemas", settings.schemas), ("log", settings.log),
      ("metrics", settings.metrics), ("logLevel", settings.logLevel), ("maxKeys", settings.maxKeys),
      ("pluginFileBytes", settings.pluginFileBytes), ("keyUseInterval", settings.keyUseInterval),
      ("signatures", settings.values.signatures), ("mcp", settings.values.mcp),
      ("healthCheckInterval", settings.healthCheckInterval),
      ("healthStoresPerRound", settings.healthStoresPerRound),
      ("deadlineCheckInterval", settings.deadlineCheckInterval), ("maxCancels", settings.maxCancels),
      ("recording", settings.recording), ("replayTime", settings.replayTime),
      ("keptRecordings", settings.values.keptRecordings),
      ("recordsKeyFile", settings.values.recordsKeyFile),
      ("runners", settings.runners), ("runnerRecordsThreads", settings.runnerRecordsThreads),
      ("crashPolicy", settings.crashPolicy), ("retainedGenerations", settings.retainedGenerations),
      ("handOverIdle", settings.handOverIdle), ("succession", settings.succession),
      ("heartbeat", settings.heartbeat), ("repeatSuspect", settings.repeatSuspect),
      ("freezeLimit", settings.freezeLimit),
      ("documents", settings.documents), ("openAPI", settings.openAPI), ("functions", settings.functions),
      ("documentAssets", settings.values.documents.assets),
      ("adminStopTimeout", settings.adminStopTimeout), ("workerStopTimeout", settings.workerStopTimeout),
    ]
  }

  /// What is no limit, and stays as the code has it.
  private static let fixed: Set<String> = [
    "probe.executable", "probe.environment", "probe.isolates", "sqlite.clock",
    "succession.backoff.failures", "repeatSuspect.known",
    "runners.executable", "runners.environment", "openAPI.release",
    // What the pool of workers gives everybody: `workers.queue` and `workers.share`.
    "automations.usual.queue", "automations.usual.workers",
    // Of everybody: `isolation.default`.
    "automations.usual.isolation",
  ]

  /// Members of limits, those of limits inside them included.
  private static func members(_ value: Any, _ name: String) -> [String: String] {
    let mirror = Mirror(reflecting: value)
    guard mirror.displayStyle == .struct, !(value is Duration) else {
      return [name: String(reflecting: value)]
    }
    var all: [String: String] = [:]
    for child in mirror.children {
      all.merge(members(child.value, "\(name).\(child.label ?? "")")) { first, _ in first }
    }
    return all
  }

  private static func change(_ setting: Setting, in configuration: inout HostConfiguration) {
    switch setting.kind {
    case .number(let range, let place):
      let value = configuration[keyPath: place]
      configuration[keyPath: place] = value < range.upperBound ? value + 1 : value - 1
    case .text(_, let place) where setting.path == "automations.overrides":
      configuration[keyPath: place] = "changed isolation=process"
    case .text(_, let place): configuration[keyPath: place] = "changed"
    case .list(_, _, let place): configuration[keyPath: place].append("changed")
    case .choice(let options, let place): configuration[keyPath: place] = options.last ?? ""
    case .flag(let place): configuration[keyPath: place].toggle()
    case .isolation(let place): configuration[keyPath: place] = .process(runners: 2)
    case .level(let place): configuration[keyPath: place] = .critical
    }
  }

  @Test func everyLimitIsASetting() {
    var changed = HostConfiguration()
    for setting in Setting.all { SettingsTests.change(setting, in: &changed) }
    let usual = SettingsTests.everything(HostSettings(HostConfiguration()))
    let other = SettingsTests.everything(HostSettings(changed))
    var count = 0
    for ((name, before), (_, after)) in zip(usual, other) {
      let (before, after) = (SettingsTests.members(before, name), SettingsTests.members(after, name))
      for (member, value) in before where !SettingsTests.fixed.contains(member) {
        #expect(after[member] != value, "no setting reaches \(member)")
        count += 1
      }
    }
    #expect(count > 100)
  }

  /// The numbers that README.md, the contract and the documents name, as a host gets them that is told nothing.
  @Test func aHostThatIsToldNothingHasTheNumbersThatAreNamed() throws {
    let host = HostSettings(HostConfiguration())
    var all: [String: String] = [:]
    for (name, value) in SettingsTests.everything(host) {
      all.merge(SettingsTests.members(value, name)) { first, _ in first }
    }
    let named: [(member: String, value: Any, setting: String, number: Int64)] = [
      ("routes.deadline", Duration.seconds(30), "routes.deadline_ms", 30_000),
      ("gateway.inline.blockedAfter", Duration.milliseconds(5), "inline.blocked_after_ms", 5),
      ("gateway.answerCharacters", 99_999, "answers.max_characters", 99_999),
      ("gateway.jobs.after", Duration.seconds(40), "answers.job_after_ms", 40_000),
      ("openAPI.jobAfter", Duration.seconds(40), "answers.job_after_ms", 40_000),
      ("crashPolicy.crashes", 2, "supervisor.crashes", 2),
      ("crashPolicy.window", Duration.seconds(60), "supervisor.crash_window_ms", 60_000),
      ("repeatSuspect.ends", 2, "supervisor.crashes", 2),
      ("repeatSuspect.window", Duration.seconds(60), "supervisor.crash_window_ms", 60_000),
    ]
    for (member, value, path, number) in named {
      #expect(all[member] == String(reflecting: value), "\(member)")
      let setting = try #require(Setting.all.first { $0.path == path }, "\(path)")
      #expect(setting.value(in: HostConfiguration()) == .integer(number), "\(path)")
    }
  }

  @Test func everySettingSetsSomething() {
    let usual = SettingsTests.everything(HostSettings(HostConfiguration())).map {
      String(reflecting: $0.value)
    }
    for setting in Setting.all {
      var configuration = HostConfiguration()
      // A listener takes both TLS files or none.
      if setting.name.hasPrefix("tls_") {
        for other in Setting.all where other.name.hasPrefix("tls_") {
          SettingsTests.change(other, in: &configuration)
        }
      } else {
        SettingsTests.change(setting, in: &configuration)
      }
      let changed = SettingsTests.everything(HostSettings(configuration)).map { String(reflecting: $0.value) }
      #expect(changed != usual, "\(setting.path) sets nothing")
    }
  }
}

extension Setting {
  /// What happens when a host dies, and how one follows another.
  static let supervision: [Setting] = [
    .init(
      "supervisor.crashes", .number(1...1000, \.crashes),
      "Crashes of one generation within supervisor.crash_window_ms: then the one before it serves, or none."),
    .init(
      "supervisor.crash_window_ms", .number(1...3_600_000, \.crashWindowMilliseconds),
      "See supervisor.crashes."),
    .init(
      "supervisor.retained_generations", .number(1...1_000_000, \.retainedGenerations),
      "Stopped generations that stay mapped: beyond this, a fresh host takes over."),
    .init(
      "supervisor.restart_max_ms", .number(100...3_600_000, \.restartMaxMilliseconds),
      "The longest pause before a host that dies early without a culprit is started again."),
    .init(
      "supervisor.restart_min_ms", .number(1...60_000, \.restartMinMilliseconds),
      "The first of these pauses; each further one is twice as long."),
    .init(
      "supervisor.early_ms", .number(1...3_600_000, \.earlyMilliseconds),
      "A host that lived so long died late: another is started at once, and the pauses begin anew."),
    .init(
      "supervisor.liveness_interval_ms", .number(50...60_000, \.livenessIntervalMilliseconds),
      "How often the host that serves has to prove that its threads come round."),
    .init(
      "supervisor.liveness_timeout_ms", .number(0...3_600_000, \.livenessTimeoutMilliseconds),
      "How long it may take for that before it is replaced; 0 asks nothing, for hosts in a debugger."),
    .init(
      "supervisor.liveness_report_ms", .number(10...60_000, \.livenessReportMilliseconds),
      "For a host that is replaced so to write down who was inside: then it is killed."),
    .init(
      "supervisor.freeze_timeout_ms", .number(100...3_600_000, \.freezeTimeoutMilliseconds),
      "For changes that are under way to end when a hand-over begins."),
    .init(
      "supervisor.take_over_timeout_ms", .number(100...3_600_000, \.takeOverTimeoutMilliseconds),
      "For the old host to let go, and for the new one to take over."),
    .init(
      "supervisor.max_leaving", .number(1...64, \.maxLeaving),
      "Replaced hosts that may still finish their requests; beyond this, the oldest drains."),
    .init(
      "supervisor.boot_timeout_ms", .number(1000...3_600_000, \.bootTimeoutMilliseconds),
      "For a host to get ready: then it is killed."),
    .init(
      "supervisor.hand_over_idle_ms", .number(0...3_600_000, \.handOverIdleMilliseconds),
      "How long a host that was replaced keeps connections open that are quiet."),
  ]
}

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
      "supervisor.boot_timeout_ms", .number(1000...3_600_000, \.bootTimeoutMilliseconds),
      "For a host to get ready: then it is killed."),
    .init(
      "supervisor.hand_over_idle_ms", .number(0...3_600_000, \.handOverIdleMilliseconds),
      "How long a host that was replaced keeps connections open that are quiet."),
  ]
}

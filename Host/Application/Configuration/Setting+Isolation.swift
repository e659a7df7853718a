import Domain

// The settings of plugins that run in processes of their own.

extension Setting {
  /// `isolation`
  static let isolation: [Setting] = [
    .init(
      "isolation.default", .isolation(\.isolation),
      "Where a new automation runs whose load does not say: \(Isolation.forms)."),
    .init(
      "isolation.memory_bytes", .number(32 << 20...1 << 40, \.runnerMemoryBytes),
      "Of a runner process: more is refused to it, and one that stays at it is killed."),
    .init("isolation.max_threads", .number(32...4096, \.runnerThreads), "Of a runner: killed beyond."),
    .init(
      "isolation.workers", .number(1...256, \.runnerWorkers), "Threads of a runner for blocking handlers."),
    .init("isolation.open_files", .number(16...4096, \.runnerOpenFiles), "Of a runner."),
    .init(
      "isolation.calls", .number(1...1024, \.runnerCalls), "In a runner at a time: more is 503."),
    .init(
      "isolation.arena_bytes", .number(1 << 20...1 << 30, \.runnerArenaBytes),
      "For bodies above 8 KiB on their way to a runner, and as much back: also the largest body."),
    .init(
      "isolation.spin_us", .number(0...1000, \.runnerSpinMicroseconds),
      "How long an event thread looks for the answer of an inline route, where no other call is under way, before it is woken for it; 0 never."
    ),
    .init(
      "isolation.overrun_ms", .number(0...3_600_000, \.runnerOverrunMilliseconds),
      "A handler still inside so long after its deadline has its runner killed; 0 never."),
    .init(
      "isolation.cpu_window_ms", .number(1000...3_600_000, \.runnerCPUWindowMilliseconds),
      "The time over which isolation.cpu_ms counts."),
    .init(
      "isolation.cpu_ms", .number(0...3_600_000, \.runnerCPUMilliseconds),
      "Processor time of a runner per window: killed beyond; 0 for no limit."),
    .init(
      "isolation.crashes", .number(1...1_000_000, \.runnerCrashes),
      "Of a runner within the window, each with a restart at once; then it rests."),
    .init(
      "isolation.crash_window_ms", .number(1000...86_400_000, \.runnerCrashWindowMilliseconds), "That window."
    ),
    .init(
      "isolation.rest_ms", .number(100...3_600_000, \.runnerRestMilliseconds),
      "The first rest, in which the automation answers 503; the next is twice as long, up to 5 minutes."
    ),
    .init(
      "isolation.records_threads", .number(1...256, \.runnerRecordsThreads),
      "Of the host, for the records calls of all runners."),
    .init(
      "isolation.require_landlock", .flag(\.runnerNeedsLandlock),
      "Whether a kernel without Landlock, which hides files, is refused; otherwise it is logged as a warning."
    ),
  ]
}

package import Application
import Kernel

/// What runner processes may take, and how patient their host is.
package struct RunnerSettings: Sendable {
  /// The host's own binary, which knows ``RunnerMain/argument``.
  package var executable = "/proc/self/exe"
  package var environment = ProbePlugin.Settings.leastEnvironment
  package var memoryBytes = 512 << 20
  package var threads = 256
  package var workers = 8
  package var openFiles = 64
  package var needsLandlock = true
  package var calls = 256
  package var arenaBytes = 16 << 20
  /// How long an event thread looks for the answer of an inline route when it is the only call, instead of being woken for
  /// it. Zero never looks.
  package var spin: Duration = .microseconds(50)
  /// The host's own: a runner's streams hold and last no more.
  package var streams = AnswerStreams.Limits()
  /// Zero never kills for it.
  package var overrun: Duration = .seconds(2)
  package var cpuWindow: Duration = .seconds(10)
  /// Zero for no limit.
  package var cpuPerWindow: Duration = .zero
  package var crashes = 5
  package var crashWindow: Duration = .seconds(60)
  package var rest: Duration = .seconds(5)
  /// For create, activate, quiesce, stop and destroy.
  package var patience: Duration = .seconds(10)

  package init() {}
}

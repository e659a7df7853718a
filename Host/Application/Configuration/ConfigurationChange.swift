/// What two configurations differ in, by what it takes to put the new one into effect.
package struct ConfigurationChange: Sendable, Equatable {
  /// Settings that take effect at once.
  package var live: [String] = []
  /// Settings that a fresh host takes up: no request is lost by it.
  package var handOver: [String] = []
  /// Settings of the supervisor itself: only a new start changes them.
  package var restart: [String] = []
  /// Files that settings name, and that are read when a host starts.
  private var namesFiles: Bool

  package init(from old: HostConfiguration, to new: HostConfiguration) {
    namesFiles = [
      new.publicListener.tlsCertificate, new.adminListener.tlsCertificate, new.recordsKeyFile,
    ].contains { !$0.isEmpty }
    for setting in Setting.all where setting.value(in: old) != setting.value(in: new) {
      switch setting.path {
      case "log.level": live.append(setting.path)
      case let path where ConfigurationChange.isSupervisors(path): restart.append(path)
      default: handOver.append(setting.path)
      }
    }
  }

  /// Certificates may have been renewed under the names that they had, and keys been added to theirs.
  package var needsHandOver: Bool { !handOver.isEmpty || namesFiles }

  /// Of the supervisor's settings, those that its hosts read.
  private static let hosts: Set<String> = [
    "supervisor.crashes", "supervisor.crash_window_ms", "supervisor.retained_generations",
    "supervisor.hand_over_idle_ms",
  ]

  private static func isSupervisors(_ path: String) -> Bool {
    ["public.address", "public.port", "admin.address", "admin.port"].contains(path)
      || path.hasPrefix("supervisor.") && !hosts.contains(path)
  }
}

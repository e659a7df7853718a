/// Where a plugin's code runs: in the host's process, or in processes of its own.
///
/// What the admin of a host decides per automation, not the plugin's author: the same file runs either way.
package enum Isolation: Sendable, Equatable {
  case inProcess
  /// In this many runner processes, 1 to ``maxRunners``.
  case process(runners: Int)

  package static let maxRunners = 16

  /// `none`, `process`, `process:4`; nil for any other text.
  package init?(_ text: String) {
    switch text {
    case "none": self = .inProcess
    case "process": self = .process(runners: 1)
    default:
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2, parts[0] == "process", let runners = Int(parts[1]), String(runners) == parts[1],
        (1...Isolation.maxRunners).contains(runners)
      else { return nil }
      self = .process(runners: runners)
    }
  }

  package var text: String {
    switch self {
    case .inProcess: "none"
    case .process(1): "process"
    case .process(let runners): "process:\(runners)"
    }
  }

  /// What an admin is told who wrote something else.
  package static let forms =
    "none, process, or process:N with N from 1 to \(maxRunners)"
}

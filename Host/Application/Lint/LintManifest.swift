package import Domain
package import Kernel

/// Reads a manifest as a model will, through its operations, and says what would mislead one or cost it too much.
///
/// A value: no I/O. Its work is bounded: 1,000 operations are looked at one by one, and of each as many parts as
/// ``StrictSchema`` looks at.
package struct LintManifest: Sendable {
  package struct Limits: Sendable {
    package var mode: LintMode
    /// Of all operations of an automation together.
    package var tokens: Int

    package init(mode: LintMode = .warn, tokens: Int = 8000) {
      self.mode = mode
      self.tokens = tokens
    }
  }

  /// A GPT takes at most so many characters of an operation's summary, of its description, and of a parameter's.
  static let maxSummary = 300
  static let maxDescription = 300
  static let maxParameter = 700
  /// A GPT takes at most so many operations; with more tools than this, models choose worse.
  static let maxOperations = 30
  static let maxLookedAt = 1000

  private let limits: Limits

  package init(_ limits: Limits = Limits()) { self.limits = limits }

  /// The report; throws `plugin.lint.refused` (422) where the mode is to refuse errors and there are some.
  package func callAsFunction(_ manifest: Manifest) throws(Problem) -> LintReport {
    if limits.mode == .off { return LintReport() }
    let report = look(at: manifest)
    let errors = report.errors
    if limits.mode == .refuse, let first = errors.first {
      throw Problem(
        422, "plugin.lint.refused",
        "The linter has \(report.errorCount) error(s), and plugins.lint is 'refuse'; the first: \(first.pointer): "
          + first.text, members: ["errors": .array(errors.map(\.json))])
    }
    return report
  }

  private func look(at manifest: Manifest) -> LintReport {
    var report = LintReport()
    if manifest.summary.isEmpty {
      report.add(
        .warning, "summary_missing", "/summary",
        "The automation has no summary: say in a sentence what it is for, so that a model knows when to look here."
      )
    }
    if manifest.routes.count > LintManifest.maxOperations {
      report.add(
        .warning, "operations_many", "/routes",
        "\(manifest.routes.count) operations: a GPT takes \(LintManifest.maxOperations), and models choose worse among "
          + "more. Split the automation, or give agents keys for a part of it.")
    }
    if manifest.routes.count > LintManifest.maxLookedAt {
      report.add(
        .warning, "not_looked_at", "/routes/\(LintManifest.maxLookedAt)",
        "Only the first \(LintManifest.maxLookedAt) operations were looked at.")
    }
    var summaries: [String: String] = [:]
    for (number, route) in manifest.routes.prefix(LintManifest.maxLookedAt).enumerated() {
      let at = "/routes/\(number)"
      guard case .success(let pattern) = RoutePattern.parse(route.path) else { continue }
      let operation = Operation(
        automation: manifest.id, root: "/" + manifest.id, declaration: route, pattern: pattern)
      if !route.summary.isEmpty, let twin = summaries.updateValue(route.operation, forKey: route.summary) {
        report.add(
          .warning, "summary_repeated", at + "/summary",
          "'\(twin)' has the same summary: a model cannot tell the two apart.")
      }
      LintRoute(route, operation, at).look(&report)
    }
    if report.tokens > limits.tokens {
      let dear = report.costs.sorted { $0.tokens > $1.tokens }.prefix(3)
      report.add(
        .warning, "tokens", "/routes",
        "A list of these operations costs a model about \(report.tokens) tokens (bytes / 4); the budget is "
          + "\(limits.tokens). The dearest: "
          + dear.map { "\($0.operation) \($0.tokens)" }.joined(separator: ", ")
          + ". Shorten descriptions and schemas, or split the automation.")
    }
    return report
  }
}

import Domain
import Kernel

extension ChangeAutomation {
  /// What the linter says. It never keeps an admin from going back to a generation that served before.
  func lint(_ manifest: Manifest, _ source: Source) throws(Problem) -> LintReport {
    var rules = limits.lint
    if case .kept = source, rules.mode == .refuse { rules.mode = .warn }
    let report = try LintManifest(rules)(manifest)
    if !report.findings.isEmpty {
      ports.log.log(
        .warning, "generations",
        "the linter has \(report.findings.count + report.omitted) finding(s); the first: "
          + "\(report.findings[0].pointer): \(report.findings[0].text)",
        [
          "automation": .string(manifest.id),
          "findings": .array(
            report.findings.prefix(10).map { .string("\($0.severity.rawValue) \($0.code) \($0.pointer)") }),
        ])
    }
    return report
  }
}

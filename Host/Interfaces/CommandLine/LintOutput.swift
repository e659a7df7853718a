import Application
import Kernel

/// What the linter says, for people.
enum LintOutput {
  static let options = [
    Command.Option(
      name: "--lint", value: "MODE", help: "off, warn or refuse: what errors of the linter do. Default: warn."),
    Command.Option(
      name: "--lint-tokens", value: "N",
      help: "What a list of the operations may cost a model, in tokens (bytes / 4). Default: 8000."),
  ]

  static func rules(_ invocation: Invocation) throws -> LintManifest.Limits {
    var rules = LintManifest.Limits()
    if let text = invocation.value("--lint") {
      guard let mode = LintMode(rawValue: text) else {
        throw invocation.wrong("--lint", "off, warn or refuse", text)
      }
      rules.mode = mode
    }
    rules.tokens = try invocation.whole("--lint-tokens", in: 100...1_000_000) ?? rules.tokens
    return rules
  }

  /// Each finding, then what the operations cost.
  static func lines(_ report: LintReport, _ style: Style) -> [String] {
    var lines = lines(report.findings.map(\.json), style)
    if report.omitted > 0 { lines.append("and \(report.omitted) finding(s) more") }
    let strict = report.costs.count { $0.isStrict }
    lines.append(
      "as functions: \(report.costs.count) operation(s), \(strict) of them strict, about \(report.tokens) tokens "
        + "(bytes / 4)")
    return lines
  }

  /// Findings as a host or this command made them.
  static func lines(_ findings: [JSONValue], _ style: Style) -> [String] {
    findings.map { finding in
      let severity = finding.cell("severity")
      return style.paint(Table.printable(severity), severity == "error" ? .bad : .warn) + "  "
        + Table.printable("\(finding.cell("code")) \(finding.cell("pointer")): \(finding.cell("text"))")
    }
  }
}

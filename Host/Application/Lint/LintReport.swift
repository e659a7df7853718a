package import Kernel

/// One thing that makes a plugin harder for a model to use than it need be.
package struct LintFinding: Error, Sendable, Equatable {
  package enum Severity: String, Sendable {
    /// A model will do the wrong thing.
    case error
    case warning
  }

  package var severity: Severity
  /// Stable: `lint.summary_missing`.
  package var code: String
  /// JSON Pointer into the manifest.
  package var pointer: String
  /// What is so, and what to do.
  package var text: String

  package var json: JSONValue {
    [
      "severity": .string(severity.rawValue), "code": .string(code), "pointer": .string(pointer),
      "text": .string(text),
    ]
  }
}

/// What the linter says of one manifest.
package struct LintReport: Sendable {
  /// More than this many findings are counted, not kept.
  package static let maxFindings = 100

  /// What one operation costs in a list of tools.
  package struct Cost: Sendable {
    package var operation: String
    package var tokens: Int
    package var isStrict: Bool
  }

  package private(set) var findings: [LintFinding] = []
  /// Findings beyond those.
  package private(set) var omitted = 0
  /// Errors, those among them that are not kept.
  package private(set) var errorCount = 0
  package internal(set) var costs: [Cost] = []

  package init() {}

  mutating func add(
    _ severity: LintFinding.Severity, _ code: String, _ pointer: String, _ text: String
  ) {
    if severity == .error { errorCount += 1 }
    if findings.count >= LintReport.maxFindings {
      omitted += 1
      // An error is worth more than any warning.
      guard severity == .error, let last = findings.lastIndex(where: { $0.severity == .warning }) else {
        return
      }
      findings.remove(at: last)
    }
    findings.append(LintFinding(severity: severity, code: "lint." + code, pointer: pointer, text: text))
  }

  package var tokens: Int { costs.reduce(0) { $0 + $1.tokens } }
  package var errors: [LintFinding] { findings.filter { $0.severity == .error } }

  package var json: JSONValue {
    [
      "findings": .array(findings.map(\.json)), "omitted": .integer(Int64(omitted)),
      "tokens": [
        "total": .integer(Int64(tokens)), "estimate": "bytes / 4",
        "operations": .array(
          costs.map { cost in
            [
              "operation": .string(cost.operation), "tokens": .integer(Int64(cost.tokens)),
              "strict": .bool(cost.isStrict),
            ]
          }),
      ],
    ]
  }
}

/// What a host does about findings.
package enum LintMode: String, Sendable, CaseIterable {
  /// Nothing is looked at.
  case off
  /// They are told to whoever loads the plugin, and logged.
  case warn
  /// The same, and a plugin with an error is not loaded.
  case refuse
}

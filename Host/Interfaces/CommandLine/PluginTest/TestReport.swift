import Application
import Kernel

/// What one check found.
struct CheckResult: Sendable {
  enum State: String, Sendable { case pass, fail, skip }

  var name: String
  var state: State
  var detail: String
  /// A line to paste.
  var reproduce: String?
  var calls = 0
  var milliseconds: Int64 = 0

  var json: JSONValue {
    [
      "name": .string(name), "state": .string(state.rawValue), "detail": .string(detail),
      "reproduce": reproduce.map(JSONValue.string) ?? .null, "calls": .integer(Int64(calls)),
      "duration_ms": .integer(milliseconds),
    ]
  }
}

/// All of one run.
struct TestReport {
  var file: String
  var plugin: String
  var version: String
  var seed: UInt64
  var checks: [CheckResult] = []
  var notes: [String] = []

  var passed: Bool { !checks.contains { $0.state == .fail } }

  var json: JSONValue {
    [
      "file": .string(file), "plugin": .string(plugin), "version": .string(version),
      "seed": .string(String(seed)),
      "passed": .bool(passed), "checks": .array(checks.map(\.json)),
      "notes": .array(notes.map(JSONValue.string)),
    ]
  }

  func text(_ style: Style) -> String {
    var lines = ["\(style.paint(plugin, .bold)) \(Table.printable(version))  seed \(seed)"]
    let width = checks.map(\.name.count).max() ?? 0
    for check in checks {
      let mark =
        switch check.state {
        case .pass: style.paint("pass", .good)
        case .fail: style.paint("FAIL", .bad)
        case .skip: style.paint("skip", .warn)
        }
      let name = check.name + String(repeating: " ", count: width - check.name.count)
      lines.append(
        "\(mark)  \(name)  \(Table.printable(check.detail))  (\(check.calls) calls, \(check.milliseconds) ms)"
      )
      if let line = check.reproduce { lines.append("      \(Table.printable(line))") }
    }
    lines += notes.map { "note  \(Table.printable($0))" }
    lines.append(
      passed
        ? style.paint("The plugin holds the contract as far as was looked.", .good)
        : style.paint("The plugin breaks the contract; --seed \(seed) looks at the same again.", .bad))
    return lines.joined(separator: "\n")
  }
}

import Application
import Kernel

/// A command line that was understood: a command, its arguments and options.
package struct Invocation: Sendable {
  let command: Command
  let arguments: [String]
  let options: [String: [String]]
  let services: CommandLineServices

  var wantsJSON: Bool { has("--json") }

  func has(_ option: String) -> Bool { options[option] != nil }
  func value(_ option: String) -> String? { options[option]?.last }
  func values(_ option: String) -> [String] { options[option] ?? [] }
  func argument(_ index: Int) -> String? { index < arguments.count ? arguments[index] : nil }

  func whole(_ option: String, in range: ClosedRange<Int>) throws(CommandFailure) -> Int? {
    guard let text = value(option) else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw wrong(option, "a whole number from \(range.lowerBound) to \(range.upperBound)", text)
    }
    return number
  }

  func duration(_ option: String) throws(CommandFailure) -> Int? {
    guard let text = value(option) else { return nil }
    guard let seconds = Quantities.seconds(text) else {
      throw wrong(option, "a duration like 90s, 15m, 24h or 30d", text)
    }
    return seconds
  }

  func wrong(_ option: String, _ wanted: String, _ text: String) -> CommandFailure {
    .usage("\(option) takes \(wanted), not '\(text)'", hint: "council \(command.name) --help")
  }

  func usage(_ text: String) -> CommandFailure { .usage(text, hint: "council \(command.name) --help") }

  // MARK: Output

  var style: Style {
    Style(
      hasColour: services.terminal.isInteractive && (services.environment["NO_COLOR"] ?? "").isEmpty
        && services.environment["TERM"] != "dumb")
  }

  func print(_ line: String) { services.terminal.write(line + "\n") }
  func note(_ line: String) { services.terminal.writeError(line + "\n") }

  /// The document with `--json`, else what `text` makes of it.
  func show(_ document: JSONValue, _ text: (JSONValue) -> String) {
    services.terminal.write((wantsJSON ? JSON.text(document, pretty: true) : text(document)) + "\n")
  }
}

/// Durations and rates as people type them.
enum Quantities {
  private static let units: [(names: [String], seconds: Int)] = [
    (["s", "sec"], 1), (["m", "min"], 60), (["h", "hour"], 3600), (["d", "day"], 86_400),
  ]

  /// `90`, `90s`, `15m`, `24h`, `30d`; nil for other text, and above 100 years.
  static func seconds(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits), let unit = unit(text.dropFirst(digits.count)) else { return nil }
    let (seconds, overflow) = number.multipliedReportingOverflow(by: unit)
    return overflow || seconds > 100 * 366 * 86_400 ? nil : seconds
  }

  /// `200/60s`, `200/min`, `1000/h`.
  static func rate(_ text: String) -> (requests: Int, seconds: Int)? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let requests = Int(parts[0]), requests > 0, parts[0].first != "+" else {
      return nil
    }
    let period = String(parts[1])
    let isBare = period.first?.isLetter ?? false
    guard let seconds = isBare ? unit(parts[1]) : seconds(period), seconds > 0 else { return nil }
    return (requests, seconds)
  }

  private static func unit(_ name: Substring) -> Int? {
    name.isEmpty ? 1 : units.first { $0.names.contains(String(name)) }?.seconds
  }
}

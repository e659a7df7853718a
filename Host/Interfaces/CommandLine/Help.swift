import Application
import Domain

/// Help, written from the table of commands.
struct Help {
  let commands: [Command]

  /// nil when the words name nothing.
  func text(_ words: [String]) -> String? {
    if words.isEmpty { return overview }
    if words == ["exit-codes"] { return exitCodes }
    if let command = commands.first(where: { $0.words == words }) { return text(command) }
    let group = commands.filter { words.count == 1 && $0.words.first == words[0] }
    return group.isEmpty ? nil : list("council \(words[0]) …", group)
  }

  private var overview: String {
    """
    council: a host for plugins that answer HTTP requests.

    \(list("Commands", commands))

    council COMMAND --help says more of each. council help exit-codes lists what the process ends with.
    """
  }

  private func list(_ title: String, _ commands: [Command]) -> String {
    let width = commands.map(\.name.count).max() ?? 0
    return
      ([title + ":"] + commands.map { "  \(pad($0.name, width))  \($0.summary)" }).joined(separator: "\n")
  }

  private func text(_ command: Command) -> String {
    var parts = ["\(command.summary)", "Usage: council \(usage(command))"]
    parts += command.notes
    if !command.arguments.isEmpty {
      parts.append(columns("Arguments", command.arguments.map { ($0.name, $0.help) }))
    }
    parts.append(
      columns(
        "Options",
        command.allOptions.map { option in
          let short = option.short.map { $0 + ", " } ?? ""
          let value = option.value.map { " " + $0 } ?? ""
          return (short + option.name + value, option.help + (option.isRepeated ? " May come again." : ""))
        }))
    if !command.examples.isEmpty {
      parts.append((["Examples:"] + command.examples.map { "  " + $0 }).joined(separator: "\n"))
    }
    for endpoint in command.endpoints {
      let row = endpoint.row
      let scopes = row.scopes.isEmpty ? "needs no key" : "needs " + row.scopes.joined(separator: " or ")
      parts.append("Calls \(row.method.rawValue) \(row.path); \(scopes).")
    }
    return parts.joined(separator: "\n\n")
  }

  private func usage(_ command: Command) -> String {
    var words = command.words
    words += command.arguments.map { $0.isOptional ? "[\($0.name)]" : $0.name }
    for option in command.options {
      let text = [option.name, option.value].compactMap { $0 }.joined(separator: " ")
      words.append(
        option.isRequired ? text + (option.isRepeated ? "…" : "") : "[\(text)]\(option.isRepeated ? "…" : "")"
      )
    }
    return words.joined(separator: " ")
  }

  private var exitCodes: String {
    columns("Exit codes", ExitCode.allCases.map { (String($0.rawValue), $0.meaning) })
  }

  private func columns(_ title: String, _ rows: [(String, String)]) -> String {
    let width = rows.map(\.0.count).max() ?? 0
    return ([title + ":"] + rows.map { "  \(pad($0.0, width))  \($0.1)" }).joined(separator: "\n")
  }

  private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}

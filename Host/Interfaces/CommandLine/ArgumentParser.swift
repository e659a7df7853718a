/// Reads a command line by the table of commands.
///
/// A command's words come first; then arguments and options in any order. `--name value` and `--name=value` say the
/// same; `--` makes an argument of whatever follows.
struct ArgumentParser {
  enum Line {
    case run(Command, arguments: [String], options: [String: [String]])
    /// Help on what these words name: nothing, a group, a command, or `exit-codes`.
    case help([String])
  }

  let commands: [Command]

  func parse(_ line: [String]) throws(CommandFailure) -> Line {
    guard let first = line.first else { return .help([]) }
    if first == "help" { return .help(Array(line.dropFirst().prefix(2))) }
    if first == "--help" || first == "-h" { return .help([]) }
    if first == "--version" { return try parse(["version"] + line.dropFirst()) }
    guard let command = find(line) else { return try group(line) }
    return try parse(command, Array(line.dropFirst(command.words.count)))
  }

  private func find(_ line: [String]) -> Command? { commands.first { line.starts(with: $0.words) } }

  /// Words that name no command: a group without one, or a slip.
  private func group(_ line: [String]) throws(CommandFailure) -> Line {
    let group = commands.filter { $0.words.first == line[0] }
    guard !group.isEmpty else {
      let known = Set(commands.map { $0.words[0] } + ["help"]).sorted()
      throw .usage("'\(line[0])' is no command\(Suggestion.text(line[0], known))", hint: "council help")
    }
    guard line.count > 1, line[1] != "--help", line[1] != "-h" else {
      if line.count > 1 { return .help([line[0]]) }
      let names = group.map { $0.words[1] }.joined(separator: ", ")
      throw .usage("'\(line[0])' needs one of: \(names)", hint: "council \(line[0]) --help")
    }
    let known = group.compactMap { $0.words.count > 1 ? $0.words[1] : nil }
    throw .usage(
      "'\(line[0]) \(line[1])' is no command\(Suggestion.text(line[1], known))",
      hint: "council \(line[0]) --help")
  }

  private func parse(_ command: Command, _ line: [String]) throws(CommandFailure) -> Line {
    var arguments: [String] = []
    var options: [String: [String]] = [:]
    var index = 0
    while index < line.count {
      let word = line[index]
      index += 1
      if word == "--" {
        arguments += line[index...]
        break
      }
      guard word.hasPrefix("-"), word != "-" else {
        arguments.append(word)
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      let option = try option(name, of: command)
      var value = parts.count > 1 ? String(parts[1]) : nil
      if let placeholder = option.value {
        if value == nil {
          guard index < line.count else {
            throw fault(command, "\(name) needs a value: \(name) \(placeholder)")
          }
          value = line[index]
          index += 1
        }
      } else if value != nil {
        throw fault(command, "\(name) takes no value")
      }
      if options[option.name] != nil, !option.isRepeated {
        throw fault(command, "\(name) may come once")
      }
      options[option.name, default: []].append(value ?? "")
    }
    if options["--help"] != nil { return .help(command.words) }
    try check(command, arguments, options)
    return .run(command, arguments: arguments, options: options)
  }

  private func option(_ name: String, of command: Command) throws(CommandFailure) -> Command.Option {
    let all = command.allOptions
    if let option = all.first(where: { $0.name == name || $0.short == name }) { return option }
    throw fault(command, "\(name) is no option of '\(command.name)'\(Suggestion.text(name, all.map(\.name)))")
  }

  private func check(
    _ command: Command, _ arguments: [String], _ options: [String: [String]]
  ) throws(CommandFailure) {
    let required = command.arguments.filter { !$0.isOptional }
    if arguments.count < required.count {
      throw fault(command, "'\(command.name)' needs \(required[arguments.count].name)")
    }
    if arguments.count > command.arguments.count {
      throw fault(command, "'\(arguments[command.arguments.count])' is one argument too many")
    }
    if let empty = arguments.firstIndex(of: "") {
      throw fault(command, "\(command.arguments[empty].name) is empty")
    }
    if let missing = command.options.first(where: { $0.isRequired && options[$0.name] == nil }) {
      throw fault(command, "'\(command.name)' needs \(missing.name) \(missing.value ?? "")")
    }
  }

  private func fault(_ command: Command, _ text: String) -> CommandFailure {
    .usage(text, hint: "council \(command.name) --help")
  }
}

/// What somebody may have meant.
enum Suggestion {
  /// `: did you mean 'keys'?`, or nothing when no name is near.
  static func text(_ word: String, _ known: [String]) -> String {
    guard word.utf8.count <= 64 else { return "" }
    let near = known.map { (name: $0, distance: distance(word, $0)) }.min { $0.distance < $1.distance }
    guard let near, near.distance <= max(1, word.count / 3) else { return "" }
    return ": did you mean '\(near.name)'?"
  }

  /// Edits from one to the other (Levenshtein).
  static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    var row = Array(0...b.count)
    for (i, left) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, right) in b.enumerated() {
        let above = row[j + 1]
        row[j + 1] = min(above + 1, row[j] + 1, diagonal + (left == right ? 0 : 1))
        diagonal = above
      }
    }
    return row[b.count]
  }
}

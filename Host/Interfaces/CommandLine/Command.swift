package import Application

/// One command as the table says it: help, parsing and the check for parity read the same entry.
package struct Command: Sendable {
  package struct Argument: Sendable {
    var name: String
    var help: String
    var isOptional = false
  }

  package struct Option: Sendable {
    /// With its dashes: `--scope`.
    var name: String
    var short: String?
    /// What stands for the value in help; nil for a flag.
    var value: String?
    var help: String
    var isRepeated = false
    var isRequired = false
  }

  /// `["keys", "issue"]`.
  package var words: [String]
  var summary: String
  var notes: [String] = []
  var arguments: [Argument] = []
  var options: [Option] = []
  var examples: [String] = []
  /// What it calls of the admin listener.
  package var endpoints: [AdminEndpoint] = []
  /// Prints a document with `--json`.
  var takesJSON = true
  var run: @Sendable (Invocation) throws -> Void

  package var name: String { words.joined(separator: " ") }

  /// Its own options, and those that come with what it does.
  var allOptions: [Option] {
    var all = options
    if !endpoints.isEmpty { all += Command.hostOptions }
    if takesJSON { all.append(Command.json) }
    all.append(Command.help)
    return all
  }

  static let json = Option(name: "--json", help: "Print one JSON document.")
  static let help = Option(name: "--help", short: "-h", help: "Print this.")
  static let hostOptions = [
    Option(
      name: "--admin", value: "URL",
      help: "The admin listener. Default: COUNCIL_ADMIN_URL, or \(AdminClient.defaultURL)."),
    Option(
      name: "--key-file", value: "FILE",
      help: "The file with the admin key. Default: COUNCIL_ADMIN_KEY, or the file in COUNCIL_ADMIN_KEY_FILE."),
    Option(name: "--timeout", value: "DURATION", help: "How long to wait for an answer. Default: 2m."),
  ]
}

/// What the process ends with; `council help exit-codes` prints them.
package enum ExitCode: Int32, Sendable, CaseIterable {
  case ok = 0
  /// The host, or a check, said no; the problem is on standard error.
  case refused = 1
  case usage = 2
  case unreachable = 3
  /// No key, or one that is not let in (401, 403).
  case denied = 4
  /// A file of this machine is missing, unreadable or in the way.
  case local = 5

  var meaning: String {
    switch self {
    case .ok: "It was done."
    case .refused: "The host, or a check, refused; standard error says why."
    case .usage: "The command line is wrong; nothing was done."
    case .unreachable: "No answer from the host: not running, another address, or too slow."
    case .denied: "No admin key, or one that may not do this."
    case .local: "A file of this machine is missing, unreadable or in the way."
    }
  }
}

/// Why a command did not do what it should, beside a ``Problem`` that a port or the host gave.
enum CommandFailure: Error, Equatable {
  /// `hint` says what to type instead.
  case usage(String, hint: String)
  case unreachable(String)
  case denied(String)
  case local(String)
  /// The host answered what is not an answer of Council.
  case foreign(String)
}

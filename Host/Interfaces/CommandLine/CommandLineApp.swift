import Application
import Kernel

/// `council`: from arguments to an exit code.
package struct CommandLineApp: Sendable {
  private let services: CommandLineServices

  package init(services: CommandLineServices) { self.services = services }

  /// Every command there is, in the order of help.
  package static let commands: [Command] =
    [ServeCommand.serve] + PluginCommands.all + SigningCommands.all + [DevCommand.dev, TestCommand.test]
    + AutomationCommands.all + QuarantineCommands.all
    + KeyCommands.all
    + AuditCommands.all + HostCommands.all

  /// Does what the arguments (without the program's name) say. Returns the process's exit code.
  package func run(_ arguments: [String]) -> Int32 {
    do {
      switch try ArgumentParser(commands: CommandLineApp.commands).parse(arguments) {
      case .help(let words):
        guard let text = Help(commands: CommandLineApp.commands).text(words) else {
          throw CommandFailure.usage("no help on '\(words.joined(separator: " "))'", hint: "council help")
        }
        services.terminal.write(text + "\n")
        return ExitCode.ok.rawValue
      case .run(let command, let arguments, let options):
        try command.run(
          Invocation(command: command, arguments: arguments, options: options, services: services))
        // What was asked for was done, but whoever asked may not know what came of it.
        if services.terminal.hasLostOutput {
          services.terminal.writeError("council: standard output could not be written\n")
          return ExitCode.local.rawValue
        }
        return ExitCode.ok.rawValue
      }
    } catch let ended as HostEnded {
      return ended.code
    } catch {
      return report(error, asJSON: arguments.prefix { $0 != "--" }.contains("--json")).rawValue
    }
  }

  private func report(_ error: any Error, asJSON: Bool) -> ExitCode {
    let failure = Failure(error)
    let style = Style(hasColour: false)
    if asJSON {
      services.terminal.writeError(JSON.text(failure.json) + "\n")
    } else {
      services.terminal.writeError(failure.text(style) + "\n")
    }
    return failure.exit
  }
}

/// `serve` ended with a code of its own.
struct HostEnded: Error { var code: Int32 }

/// Any error, as one clear line, what to do about it, and an exit code.
struct Failure {
  var exit: ExitCode
  var code: String
  var message: String
  var hint: String?
  var members: [String: JSONValue] = [:]

  init(_ error: any Error) {
    switch error {
    case let problem as Problem:
      let isDenied = problem.status == 401 || problem.status == 403
      exit = Failure.isLocal(problem.code) ? .local : isDenied ? .denied : .refused
      code = problem.code
      message = problem.detail
      members = problem.members
      hint =
        problem.status == 401
        ? "pass an admin key: --key-file FILE, or COUNCIL_ADMIN_KEY_FILE"
        : problem.retryAfterSeconds.map { "try again after \($0) s" }
    case let failure as FileFailure:
      (exit, code, message) = (.local, "local.file", failure.text)
    case let failure as CommandFailure:
      switch failure {
      case .usage(let text, let hint):
        (exit, code, message, self.hint) = (.usage, "usage", text, "see: " + hint)
      case .unreachable(let text):
        (exit, code, message) = (.unreachable, "host.unreachable", text)
        hint = "is it running? `council serve` starts it; --admin names another address"
      case .denied(let text): (exit, code, message) = (.denied, "access.key_missing", text)
      case .local(let text): (exit, code, message) = (.local, "local.file", text)
      case .foreign(let text): (exit, code, message) = (.refused, "host.foreign", text)
      }
    default: (exit, code, message) = (.refused, "internal", "\(error)")
    }
  }

  /// Problems that no host answers: what stands in the way is a file or folder of this machine.
  private static func isLocal(_ code: String) -> Bool {
    code.hasPrefix("home.") || code == "config.unreadable" || code == "secret.failed"
  }

  func text(_ style: Style) -> String {
    var lines = ["council: \(Table.printable(message)) [\(code)]"]
    if let step = members["step"]?.string { lines[0] += " at step \(step)" }
    for name in ["errors", "conflicts", "changes", "automations"] {
      for item in members[name]?.array ?? [] { lines.append("  - " + Failure.line(item)) }
    }
    if let hint { lines.append("  " + hint) }
    return lines.joined(separator: "\n")
  }

  /// One of several causes.
  private static func line(_ item: JSONValue) -> String {
    let parts = [item["pointer"], item["message"] ?? item["reason"] ?? item["detail"]].compactMap {
      $0?.string
    }
    return Table.printable(parts.isEmpty ? item.cell : parts.joined(separator: " "))
  }

  var json: JSONValue {
    var document = members
    document["code"] = .string(code)
    document["detail"] = .string(message)
    document["exit"] = .integer(Int64(exit.rawValue))
    if let hint { document["hint"] = .string(hint) }
    return .object(document)
  }
}

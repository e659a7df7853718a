import Application
import Kernel

/// `council serve`
enum ServeCommand {
  static let serve = Command(
    words: ["serve"], summary: "Runs the host until it is told to end (SIGINT, SIGTERM).",
    notes: ["What is given here goes before the configuration file, and that before the defaults."],
    options: [
      .init(name: "--home", value: "DIR", help: "The data folder. Default: ./var."),
      .init(name: "--port", value: "N", help: "The public listener's port, 0 for any. Default: 8080."),
      .init(name: "--admin-port", value: "N", help: "The admin listener's port, 0 for any. Default: 8081."),
      .init(name: "--config", value: "FILE", help: "A configuration file: council config default."),
      .init(name: "--load", value: "PLUGIN.so", help: "Load this plugin, or reload it.", isRepeated: true),
      .init(
        name: "--issue-first-keys", value: "DIR",
        help: "Where a home without keys gets its first two: admin.key and agent.key, 0600."),
      .init(
        name: "--log-level", value: "LEVEL", help: LogLevel.allCases.map(\.name).joined(separator: ", ") + "."
      ),
    ],
    examples: ["council serve --home ./var --load accounts.so --issue-first-keys ./var/keys"],
    takesJSON: false, run: run)

  private static func run(_ invocation: Invocation) throws {
    let files = invocation.services.files
    var options = ServeOptions()
    options.home = invocation.value("--home").map(files.absolute)
    options.port = try invocation.whole("--port", in: 0...65_535)
    options.adminPort = try invocation.whole("--admin-port", in: 0...65_535)
    options.configFile = invocation.value("--config").map(files.absolute)
    options.load = invocation.values("--load").map(files.absolute)
    options.firstKeys = invocation.value("--issue-first-keys").map(files.absolute)
    if let name = invocation.value("--log-level") {
      options.logLevel = LogLevel(name: name)
      if options.logLevel == nil {
        throw invocation.wrong(
          "--log-level", "one of " + LogLevel.allCases.map(\.name).joined(separator: ", "), name)
      }
    }
    if let port = options.port, port != 0, port == options.adminPort {
      throw invocation.usage("--port and --admin-port are the same")
    }
    let code = try invocation.services.serve(options)
    if code != 0 { throw HostEnded(code: code) }
  }
}

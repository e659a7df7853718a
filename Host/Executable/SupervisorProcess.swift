import Application
import CommandLineInterface
import Configuration
import Domain
import HTTPServer
import Kernel
import Supervision

/// `council serve`: reads the configuration, takes the home and the ports, and supervises hosts that use them.
enum SupervisorProcess {
  /// Returns the exit code. Throws what keeps it from starting.
  static func run(_ options: ServeOptions, environment: [String: String]) throws(Problem) -> Int32 {
    let text = try options.configFile.map { path throws(Problem) in try ConfigurationFile.text(path) } ?? []
    let settings = try HostSettings(options, text: text)
    let home = try HomeFolder.open(settings.home)
    let publicListener = try ListeningSocket.open(settings.publicListener)
    let adminListener = try ListeningSocket.open(settings.adminListener)
    var passed = options
    passed.home = home.path
    let plan = Supervisor.Plan(
      executable: "/proc/self/exe", arguments: HostCommandLine.arguments(passed),
      environment: environment.map { "\($0.key)=\($0.value)" }, publicListener: publicListener,
      adminListener: adminListener, homeLock: home.lock, limits: settings.succession,
      heartbeat: settings.heartbeat, repeatSuspect: settings.repeatSuspect, configuration: text,
      reload: { inUse throws(Problem) in try reload(options, inUse) })
    return try Supervisor(plan).run()
  }

  private static func reload(_ options: ServeOptions, _ inUse: [UInt8]) throws(Problem) -> Supervisor.Reload {
    guard let path = options.configFile else {
      throw Problem(
        409, "config.none", "There is no configuration file to read again: it is named by --config.")
    }
    let text = try ConfigurationFile.text(path)
    // What the command line sets stays, whatever the file says.
    let old = try HostSettings(options, text: inUse)
    let new = try HostSettings(options, text: text)
    return Supervisor.Reload(text: text, change: new.change(from: old), logLevel: new.logLevel)
  }
}

/// How a supervisor starts a host: the program again, with the words of `serve`.
enum HostCommandLine {
  /// The first argument of a host.
  static let word = "__host"

  static func arguments(_ options: ServeOptions) -> [String] {
    var arguments = ["council", word]
    func add(_ name: String, _ value: String?) { if let value { arguments += [name, value] } }
    add("--home", options.home)
    add("--port", options.port.map { "\($0)" })
    add("--admin-port", options.adminPort.map { "\($0)" })
    add("--config", options.configFile)
    for path in options.load { add("--load", path) }
    add("--issue-first-keys", options.firstKeys)
    add("--log-level", options.logLevel?.name)
    return arguments
  }
}

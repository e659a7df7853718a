import Kernel
import Testing

/// A client in Python, from Tests/Clients, in the environment that Scripts/fetch-clients made.
enum PythonClient {
  /// Runs a script to its end; what it says is an issue when it fails. An environment that is missing is one, too.
  static func run(
    _ script: String, _ arguments: [String], environment: String = "current",
    minutes: Int = 5,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let clients = System.environment("COUNCIL_CLIENTS") ?? Fixtures.root + "/.build/clients"
    let python = "\(clients)/\(environment)/bin/python"
    try #require(
      System.exists(python), "there is no \(python): Scripts/fetch-clients makes it", sourceLocation: location
    )
    let command = CouncilCommand(
      shell: #"exec "$0" "$@""#, [python, "\(Fixtures.root)/Tests/Clients/\(script)"] + arguments,
      minutes: minutes)
    #expect(command.code == 0, "\(script): \(command.said)", sourceLocation: location)
  }
}

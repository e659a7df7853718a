import Kernel

/// `council …` run to its end, as a person types it.
struct CouncilCommand {
  var code: Int32?
  var output: String
  var errors: String

  var json: JSONValue? { try? JSONValue.parse(output.utf8.span) }
  var problem: JSONValue? { try? JSONValue.parse(errors.utf8.span) }

  init(
    _ arguments: [String], in folder: String = "/tmp", environment: [String] = [],
    minutes: Int = 1
  ) {
    self.init(
      shell: #"cd "$0" && exec "$@""#, [folder, HostUnderTest.binary] + arguments, environment: environment,
      minutes: minutes)
  }

  /// Any command of a shell; `arguments` are its `$0`, `$1` …
  init(
    shell command: String, _ arguments: [String] = [], environment: [String] = [],
    minutes: Int = 1
  ) {
    let place = "\(Fixtures.folder)/command-\(UUIDv7.make())"
    let child = Child(
      "/bin/sh", ["-c", "exec 2>'\(place).err'; \(command)"] + arguments, output: place + ".out",
      environment: environment)
    code = child.wait(minutes: minutes)
    if code == nil {
      child.signal(9)
      _ = child.wait()
    }
    output = System.text(place + ".out")
    errors = System.text(place + ".err")
  }

  var said: String { "exit \(code.map { "\($0)" } ?? "none")\n\(output)\n\(errors)" }
}

extension HostUnderTest {
  /// A command of this host's admin.
  func command(_ arguments: [String], key: String? = nil) -> CouncilCommand {
    CouncilCommand(
      arguments + ["--admin", "http://127.0.0.1:\(adminPort)", "--key-file", key ?? home + "/keys/admin.key"])
  }

  /// How many sockets the host has open. Other descriptors come with the first use of a store, and stay.
  var sockets: Int {
    Int(
      CouncilCommand(shell: #"ls -l "/proc/$0/fd" | grep -c 'socket:'"#, ["\(servingPID)"]).output.dropLast()
    ) ?? -1
  }

  /// All that a host said, line by line.
  var logLines: [JSONValue] {
    log.split(separator: "\n").compactMap { try? JSONValue.parse($0.utf8.span) }
  }
}

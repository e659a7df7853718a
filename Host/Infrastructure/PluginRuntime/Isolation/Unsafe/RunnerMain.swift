import Application
import CPlugins
import Domain
import Glibc
import Kernel

/// The runner's side: `council __runner <calls> <arena bytes>`, with the board's file as descriptor 3.
///
/// It locks itself in before it touches the plugin, and then runs it with the code that runs plugins in the host.
package enum RunnerMain {
  /// The argument after the program's name that makes a process a runner. The executable's main calls ``run(_:)``
  /// first of all when it finds it.
  package static let argument = "__runner"

  /// `arguments` are those after ``argument``.
  package static func run(_ arguments: [String]) -> Never {
    let numbers = arguments.compactMap { Int($0) }
    guard numbers.count == 2, (1...BoardLayout.maxCalls).contains(numbers[0]), numbers[1] >= 1 << 16,
      let board = SharedBoard(BoardLayout(calls: numbers[0], arenaBytes: numbers[1]), file: 3)
    else { _exit(64) }
    // What is left are /dev/null twice and the pipe that takes what the plugin writes to standard error.
    cplugins_close_from(3)
    RunnerControl(board).run()
  }

  /// Gives up, for good, what a plugin has no business with; throws what of it the system refuses.
  static func lockIn(_ path: String, _ limits: RunnerWire.Limits) throws(Problem) {
    var own = cplugins_limits()
    // Without a limit: the host counts, and knows when a call is long over.
    own.cpu_seconds = .max
    // The address space has none, for allocators reserve more than they use. What is written counts as data.
    own.data_bytes = UInt64(limits.memoryBytes)
    own.open_files = UInt64(limits.openFiles)
    // Safe: one struct, read during the call.
    unsafe cplugins_limit(&own)
    let privileges = cplugins_drop_privileges()
    guard privileges == 0 else { throw refused("give up its rights", privileges) }
    let readable =
      LibrarySearch.defaultFolders + LibrarySearch.folders(environment("LD_LIBRARY_PATH") ?? "")
      + ["/etc/ld.so.cache", "/usr/share/zoneinfo", "/etc/localtime", "/dev/urandom", path]
    cplugins_answer_for_threads()
    // Safe: the strings and the list live across the call.
    let hidden = unsafe withCStrings(readable) { list in
      unsafe list.withMemoryRebound(to: UnsafePointer<CChar>?.self, capacity: readable.count + 1) {
        unsafe cplugins_hide_files($0)
      }
    }
    if hidden != 0, hidden != ENOSYS || limits.needsLandlock {
      throw refused("hide files (Landlock)", hidden)
    }
    let calls = cplugins_limit_calls()
    guard calls == 0 else { throw refused("limit its system calls (seccomp)", calls) }
  }

  private static func refused(_ what: String, _ code: Int32) -> Problem {
    refusal(
      .load, "sandbox_unavailable", "A runner cannot \(what) on this system (errno \(code)).",
      ["errno": .integer(Int64(code))], status: 500)
  }

  /// The process is over. Not `exit`: the plugin's destructors do not run in the host either.
  static func leave() -> Never { _exit(0) }
}

import Glibc

/// The signals that end the host, received by a thread that waits for them.
enum Signals {
  /// Keeps TERM, INT, HUP and USR2 from interrupting any thread. Call before the first thread is made: threads inherit it.
  static func block() {
    var set = sigset_t()
    // Safe: the set is filled before it is used; these calls cannot fail with these arguments.
    fill(&set)
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    // A peer that closes its end is an error of write, not the end of the host.
    _ = signal(SIGPIPE, SIG_IGN)
  }

  /// Waits for one of them and returns its number.
  static func wait() -> Int32 {
    var set = sigset_t()
    fill(&set)
    var number: Int32 = 0
    while unsafe sigwait(&set, &number) != 0 {}
    return number
  }

  static var processID: Int32 { getpid() }

  /// HUP and USR2 are for the supervisor; a host that gets them, as one of all processes of a name, ignores them.
  static func isSupervisors(_ number: Int32) -> Bool { number == SIGHUP || number == SIGUSR2 }

  static func name(_ number: Int32) -> String {
    switch number {
    case SIGTERM: "TERM"
    case SIGINT: "INT"
    case SIGHUP: "HUP"
    default: "\(number)"
    }
  }

  /// Ends the process at once, without running what is registered for its end: threads still run.
  static func exitNow(_ code: Int32) -> Never { _exit(code) }

  private static func fill(_ set: inout sigset_t) {
    unsafe sigemptyset(&set)
    for number in [SIGTERM, SIGINT, SIGHUP, SIGUSR2] { unsafe sigaddset(&set, number) }
  }
}

import CPlugins
import Glibc
import Kernel

/// The probe's side: `council __probe`. Two processes: the outer one never touches the plugin; it copies itself,
/// lets the copy try the plugin, and tells the host how that ended. Whatever the plugin started dies with it.
package enum ProbeMain {
  /// The argument after the program's name that makes a process a probe. The executable's main calls
  /// ``run()`` first of all when it finds it.
  package static let argument = "__probe"

  static let input: Int32 = 3
  static let output: Int32 = 4
  /// Beyond the manifest: the frame around it, or a refusal.
  static let reportSlack = 64 * 1024

  package static func run() -> Never {
    guard let order = ProbeWire.Order(readAll(input)) else { _exit(64) }
    close(input)
    cplugins_adopt_orphans()
    guard let report = SharedReport(capacity: order.manifestBytes + reportSlack) else { _exit(71) }
    let child = cplugins_fork()
    if child == 0 {
      cplugins_die_with_parent()
      // What is left are /dev/null twice and the pipe that takes what the plugin writes to standard error.
      cplugins_close_from(3)
      ProbeChild(order, report).run()
    }
    guard child > 0 else { _exit(71) }
    let outcome = watch(child, order, report)
    writeAll(output, outcome.encoded())
    _exit(0)
  }

  /// Waits for the child, at most until the deadline, and for everything it left behind to be gone.
  private static func watch(_ child: pid_t, _ order: ProbeWire.Order, _ report: SharedReport)
    -> ProbeWire.Outcome
  {
    let descriptor = cplugins_pidfd(child)
    let ended = descriptor >= 0 && isReadable(descriptor, within: order.deadlineMilliseconds)
    var signal: Int32 = 0
    var exitCode: Int32 = 0
    if !ended { kill(child, SIGKILL) }
    // Safe: both numbers live across the call.
    unsafe _ = cplugins_reap(child, true, &signal, &exitCode)
    let leftBehind = cplugins_reap(-1, false, nil, nil) >= 0
    cplugins_kill_descendants(1000)
    let phase = report.phase
    let during: JSONValue = .string("\(phase)")
    guard ended else {
      return .refused(
        refusal(
          .probe, "probe.timeout",
          "The plugin hung in its \(phase): it was killed after \(order.deadlineMilliseconds) ms.",
          ["timeout_ms": .integer(order.deadlineMilliseconds), "phase": during]))
    }
    if signal == SIGXCPU {
      return .refused(
        refusal(
          .probe, "probe.timeout",
          "The plugin used \(order.limits.cpuSeconds) s of processor time in its \(phase).",
          ["timeout_ms": .integer(order.deadlineMilliseconds), "phase": during]))
    }
    if signal != 0 {
      // Safe: the text is static or this thread's own.
      let name = unsafe String(cString: cplugins_signal_name(signal))
      return .refused(
        refusal(
          .probe, "probe.crashed", "The plugin crashed in its \(phase): \(name).",
          ["signal": .string(name), "phase": during]))
    }
    guard exitCode == 0, let bytes = report.read(), let outcome = ProbeWire.Outcome(bytes) else {
      return .refused(
        refusal(
          .probe, "probe.exited", "The plugin ended the process in its \(phase), with exit code \(exitCode).",
          ["exit_code": .integer(Int64(exitCode)), "phase": during]))
    }
    if case .passed = outcome, leftBehind { return .refused(ProbeChild.forked) }
    return outcome
  }

  private static func isReadable(_ descriptor: Int32, within milliseconds: Int64) -> Bool {
    let limit = Instant.now + .milliseconds(milliseconds)
    while true {
      let left = limit - Instant.now
      var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      // Safe: one struct, which lives across the call. The rounding waits a millisecond more, not less.
      let status = unsafe poll(&wait, 1, Int32(clamping: max(0, left) / 1_000_000 + 1))
      if status > 0 { return true }
      if status == 0 || errno != EINTR { return false }
    }
  }

  static func readAll(_ descriptor: Int32) -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      // Safe: the kernel writes at most the chunk's count.
      let got = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress!, $0.count) }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { return all }
      all += chunk[..<got]
    }
  }

  static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) {
    var done = 0
    while done < bytes.count {
      // Safe: the pointer is valid for what is left of the bytes.
      let wrote = unsafe bytes.withUnsafeBytes {
        unsafe write(descriptor, $0.baseAddress! + done, bytes.count - done)
      }
      if wrote < 0, errno == EINTR { continue }
      guard wrote > 0 else { return }
      done += wrote
    }
  }
}

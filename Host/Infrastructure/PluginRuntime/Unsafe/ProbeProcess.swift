import CPlugins
import Glibc
import Kernel

/// One run of a probe: starts the process, hears it out, ends it.
@safe
struct ProbeProcess {
  struct Command {
    var executable: String
    /// With the program's name.
    var arguments: [String]
    /// All of it: the host's own is not passed on.
    var environment: [String]
    var isolates: Bool
  }

  struct Ending {
    /// What the outer process reported; empty when it did not.
    var report: [UInt8]
    /// The end of what came on standard error.
    var errors: [UInt8]
    var signal: Int32
    var exitCode: Int32
  }

  private static let keptErrors = 2048

  /// Runs the command with `input`. After `limit` everything is killed; `maxReport` bytes are kept at most.
  static func run(
    _ command: Command, input: [UInt8], limit: Duration, maxReport: Int
  ) throws(Problem) -> Ending {
    let order = try memoryFile(input)
    defer { close(order) }
    let report = try pipe()
    defer { close(report.read) }
    let errors: Pipe
    do throws(Problem) { errors = try pipe() } catch {
      close(report.write)
      throw error
    }
    defer { close(errors.read) }
    let started = ChildProcess.start(
      command.executable, command.arguments, environment: command.environment,
      descriptors: [-1, -1, errors.write, order, report.write],
      isolates: command.isolates)
    close(report.write)
    close(errors.write)
    let child: ChildProcess
    switch started {
    case .success(let process): child = process
    case .failure(let failure):
      throw unavailable("The probe \(command.executable) cannot be started (errno \(failure.number)).")
    }
    defer { close(child.descriptor) }
    return listen(child, report.read, errors.read, until: .now + limit, maxReport)
  }

  private static func listen(
    _ child: ChildProcess, _ report: Int32, _ errors: Int32, until limit: Instant, _ maxReport: Int
  ) -> Ending {
    var ending = Ending(report: [], errors: [], signal: 0, exitCode: 0)
    var isOpen = (report: true, errors: true)
    var hasEnded = false
    while !hasEnded {
      var waits = [
        pollfd(fd: child.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isOpen.report ? report : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isOpen.errors ? errors : -1, events: Int16(POLLIN), revents: 0),
      ]
      let left = max(0, limit - Instant.now) / 1_000_000
      // Safe: three structs, which live across the call.
      let ready = unsafe poll(&waits, 3, Int32(clamping: left + 1))
      if ready < 0, errno == EINTR { continue }
      if ready <= 0 {
        kill(child.id, SIGKILL)
        kill(-child.id, SIGKILL)
      }
      if waits[1].revents != 0 {
        isOpen.report = take(report, into: &ending.report, keepingLast: nil, maxReport)
      }
      if waits[2].revents != 0 {
        isOpen.errors = take(errors, into: &ending.errors, keepingLast: keptErrors, 0)
      }
      hasEnded = ready <= 0 || waits[0].revents != 0
    }
    // Safe: both numbers live across the call.
    unsafe _ = cplugins_reap(child.id, true, &ending.signal, &ending.exitCode)
    // The process is gone; what it had written is in the pipes. Somebody else may hold them open, so nobody waits.
    while isOpen.report, take(report, into: &ending.report, keepingLast: nil, maxReport, lastCall: true) {}
    while isOpen.errors, take(errors, into: &ending.errors, keepingLast: keptErrors, 0, lastCall: true) {}
    return ending
  }

  /// Reads once what a pipe has. False: there is no more.
  private static func take(
    _ pipe: Int32, into bytes: inout [UInt8], keepingLast last: Int?, _ maxBytes: Int, lastCall: Bool = false
  ) -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    // Safe: the kernel writes at most the chunk's count.
    let got = unsafe chunk.withUnsafeMutableBytes { unsafe read(pipe, $0.baseAddress!, $0.count) }
    if got < 0 { return errno == EINTR || (errno == EAGAIN && !lastCall) }
    guard got > 0 else { return false }
    bytes += chunk[..<got]
    if let last { bytes.removeFirst(max(0, bytes.count - last)) }
    return last != nil || bytes.count <= maxBytes
  }

  private struct Pipe {
    var read: Int32
    var write: Int32
  }

  /// Both ends close on exec; the reader's does not block.
  private static func pipe() throws(Problem) -> Pipe {
    var pipe = Pipe(read: -1, write: -1)
    // Safe: the call writes two numbers.
    let status = unsafe cplugins_pipe(&pipe.read, &pipe.write)
    guard status == 0 else { throw unavailable("There is no pipe for the probe (errno \(status)).") }
    return pipe
  }

  private static func memoryFile(_ bytes: [UInt8]) throws(Problem) -> Int32 {
    let file = cplugins_memory_file()
    guard file >= 0 else { throw unavailable("There is no memory file for the probe (errno \(errno)).") }
    ProbeMain.writeAll(file, bytes)
    lseek(file, 0, SEEK_SET)
    return file
  }

  static func unavailable(_ detail: String) -> Problem {
    refusal(.probe, "probe.unavailable", detail, status: 500)
  }
}

import CPlugins
import Glibc
import Kernel
import Synchronization

/// One process of a runner, from its start to its end.
final class RunnerProcess: Sendable {
  struct Ending: Sendable {
    var signal: Int32
    var exitCode: Int32
    var cpuSeconds: Double
    var mostResidentBytes: Int
    /// The end of what came on standard error.
    var output: String
  }

  /// What /proc says of it.
  struct Facts: Sendable {
    var cpuSeconds: Double
    var threads: Int
    var residentBytes: Int
    /// What its limit counts, whether it was touched or not.
    var dataBytes: Int
  }

  let id: pid_t
  /// Becomes readable when the process ends; names this process also after its number went to another.
  private let handle: Int32
  private let errors: Int32
  private let tail = Monitor<[UInt8]>([])
  private static let keptErrors = 2048

  /// Starts the program with the board's file as descriptor 3. The thread that calls must outlive the process, which
  /// is killed when that thread ends.
  init(_ executable: String, _ arguments: [String], _ environment: [String], file: Int32) throws(Problem) {
    var reader: Int32 = -1
    var writer: Int32 = -1
    // Safe: the call writes two numbers.
    let piped = unsafe cplugins_pipe(&reader, &writer)
    guard piped == 0 else {
      throw RunnerProcess.unavailable("There is no pipe for a runner (errno \(piped)).")
    }
    defer { close(writer) }
    let started = ChildProcess.start(
      executable, arguments, environment: environment, descriptors: [-1, -1, writer, file, writer])
    switch started {
    case .success(let child): (id, handle) = (child.id, child.descriptor)
    case .failure(let failure):
      close(reader)
      throw RunnerProcess.unavailable("A runner cannot be started (errno \(failure.number)).")
    }
    errors = reader
  }

  deinit {
    close(handle)
    close(errors)
  }

  private static func unavailable(_ detail: String) -> Problem {
    refusal(.load, "runner_unavailable", detail, status: 500)
  }

  /// Whether it has ended; it may not be reaped yet.
  var hasEnded: Bool { wait(within: 0, alsoErrors: false) }

  /// Waits for the end, and reads what comes on standard error meanwhile. False: the time passed.
  func wait(within milliseconds: Int32, alsoErrors: Bool = true) -> Bool {
    var waits = [
      pollfd(fd: handle, events: Int16(POLLIN), revents: 0),
      pollfd(fd: alsoErrors ? errors : -1, events: Int16(POLLIN), revents: 0),
    ]
    // Safe: two structs, which live across the call.
    let ready = unsafe poll(&waits, 2, milliseconds)
    if ready > 0, waits[1].revents != 0, !readErrors(), waits[0].revents == 0 {
      // The plugin closed its end: nothing more comes, and only the end is waited for.
      return wait(within: milliseconds, alsoErrors: false)
    }
    return ready > 0 && waits[0].revents != 0
  }

  /// False when nothing more comes.
  private func readErrors() -> Bool {
    var chunk = [UInt8](repeating: 0, count: 4096)
    // Safe: the kernel writes at most the chunk's count.
    let got = unsafe chunk.withUnsafeMutableBytes { unsafe read(errors, $0.baseAddress!, $0.count) }
    if got < 0 { return errno == EINTR || errno == EAGAIN }
    guard got > 0 else { return false }
    tail.withLock { tail in
      tail += chunk[..<got]
      tail.removeFirst(max(0, tail.count - RunnerProcess.keptErrors))
    }
    return true
  }

  /// Ends it at once, whatever it does.
  func kill() { cplugins_kill(handle, SIGKILL) }

  /// Waits for the end and collects it. Once.
  func reap() -> Ending {
    var end = cplugins_end()
    // Safe: the call fills the struct.
    unsafe _ = cplugins_reap_measured(id, &end)
    for _ in 0..<64 { if !readErrors() { break } }
    return Ending(
      signal: end.signal, exitCode: end.exit_code, cpuSeconds: Double(end.cpu_ns) / 1e9,
      mostResidentBytes: Int(end.most_resident_bytes),
      output: tail.withLock { String(decoding: $0, as: UTF8.self) })
  }

  /// nil once it has ended.
  var facts: Facts? {
    var facts = cplugins_facts()
    // Safe: the call fills the struct.
    guard unsafe cplugins_read_facts(id, &facts), !hasEnded else { return nil }
    return Facts(
      cpuSeconds: Double(facts.cpu_ns) / 1e9, threads: Int(facts.threads),
      residentBytes: Int(facts.resident_bytes), dataBytes: Int(facts.data_bytes))
  }

  static func signalName(_ signal: Int32) -> String {
    // Safe: the text is static or this thread's own.
    unsafe String(cString: cplugins_signal_name(signal))
  }
}

/// The file behind a board, which has no name.
struct BoardFile: ~Copyable {
  let descriptor: Int32

  init(bytes: Int) throws(Problem) {
    descriptor = cplugins_shared_file(bytes)
    guard descriptor >= 0 else {
      throw refusal(
        .load, "runner_unavailable", "There is no shared memory for a runner (errno \(errno)).", status: 500)
    }
  }

  deinit { close(descriptor) }
}

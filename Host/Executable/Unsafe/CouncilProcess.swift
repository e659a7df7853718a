import CommandLineInterface
import Glibc
import Kernel

/// This program again, as a process of this one, with its output in a file. One thread, which must outlive it: the kernel
/// ends it with that thread, however that ends.
final class CouncilProcess {
  private let process: ChildProcess
  private var hasEnded = false
  private(set) var exitCode: Int32?

  /// Starts it with no more of the environment than programs need, as the leader of a group of its own.
  init(_ arguments: [String], output: String) throws(Problem) {
    // Safe: the path lives during the call.
    let file = unsafe open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw CouncilProcess.unavailable("Its output cannot be written", errno) }
    defer { close(file) }
    let kept = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"].compactMap { name in
      Environment.all[name].map { "\(name)=\($0)" }
    }
    let started = ChildProcess.start(
      "/proc/self/exe", ["council"] + arguments, environment: kept, descriptors: [-1, file, file],
      keepsFolder: true)
    switch started {
    case .success(let child): process = child
    case .failure(let failure): throw CouncilProcess.unavailable("It cannot be started", failure.number)
    }
    CouncilProcess.running.withLock { _ = $0.insert(process.id) }
  }

  private static func unavailable(_ what: String, _ code: Int32) -> Problem {
    Problem(500, "replay.unavailable", "A process is needed. \(what) (errno \(code)).")
  }

  /// Those that this process started and that have not ended.
  private static let running = Monitor<Set<pid_t>>([])

  /// From now on, a signal that ends this process ends its children and deletes its folders first: there are copies of
  /// records in them. Only for a process with one thread so far, which is no host.
  static let endWithSignal: Void = {
    Signals.block()
    OSThread("signals") {
      let number = Signals.wait()
      let children = running.withLock { $0 }
      for child in children { kill(child, SIGTERM) }
      let deadline = Instant.now + .seconds(2)
      while Instant.now < deadline, children.contains(where: { waitpid($0, nil, WNOHANG) == 0 }) {
        usleep(5000)
      }
      for child in children { kill(child, SIGKILL) }
      PrivateFolder.removeAll()
      Signals.exitNow(128 + number)
    }.leave()
  }()

  deinit {
    end()
    close(process.descriptor)
  }

  /// Whether it still runs.
  var isRunning: Bool {
    guard !hasEnded else { return false }
    guard let ending = process.reap() else { return true }
    hasEnded = true
    CouncilProcess.running.withLock { _ = $0.remove(process.id) }
    if case .exit(let code) = ending { exitCode = code }
    return false
  }

  /// False when it still runs at the deadline.
  func wait(until deadline: Instant) -> Bool {
    while isRunning {
      if Instant.now >= deadline { return false }
      usleep(5000)
    }
    return true
  }

  /// Asks it to end, and makes it end when it does not, with all that it started.
  func end() {
    if isRunning {
      kill(process.id, SIGTERM)
      if !wait(until: .now + .seconds(5)) {
        kill(-process.id, SIGKILL)
        _ = wait(until: .now + .seconds(5))
      }
    }
  }
}

/// A folder of this process alone, below TMPDIR or /tmp.
enum PrivateFolder {
  static func make() throws(Problem) -> String {
    var template = Array("\(Environment.all["TMPDIR"] ?? "/tmp")/council-XXXXXX".utf8CString)
    // Safe: mkdtemp writes into the array, which ends with NUL.
    guard unsafe mkdtemp(&template) != nil else {
      throw Problem(500, "replay.unavailable", "No folder can be made below TMPDIR (errno \(errno)).")
    }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    made.withLock { _ = $0.insert(path) }
    return path
  }

  private static let made = Monitor<Set<String>>([])

  static func removeAll() { for path in made.withLock({ $0 }) { remove(path) } }

  /// Deletes the folder and what is in it; follows no link.
  static func remove(_ path: String) {
    var facts = stat()
    // Safe: here and below the texts live during the calls, and the kernel fills the struct.
    guard unsafe lstat(path, &facts) == 0 else { return }
    if facts.st_mode & S_IFMT == S_IFDIR {
      for name in (try? SystemFiles().names(in: path)) ?? [] { remove("\(path)/\(name)") }
    }
    _ = unsafe Glibc.remove(path)
    made.withLock { _ = $0.remove(path) }
  }
}

import CommandLineInterface
import Glibc
import Kernel
import Synchronization

/// This program again, as a process of this one, with its output in a file. One thread.
final class ChildProcess {
  private let pid: pid_t
  private var hasEnded = false
  private(set) var exitCode: Int32?

  /// Starts it with no more of the environment than programs need. It stays in this process's group, unless
  /// `leads`: then whatever it starts can be ended with it.
  init(_ arguments: [String], output: String, leads: Bool = false) throws(Problem) {
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    // Safe: everything passed lives until the call returns; both are destroyed once.
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // A host blocks the signals that end it; a child inherits that.
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    var flags = Int16(POSIX_SPAWN_SETSIGMASK)
    if leads { flags |= Int16(POSIX_SPAWN_SETPGROUP) }
    unsafe posix_spawnattr_setflags(&attributes, flags)
    var words: [UnsafeMutablePointer<CChar>?] = unsafe (["council"] + arguments).map { unsafe strdup($0) }
    unsafe words.append(nil)
    let kept = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"].compactMap { name in
      Environment.all[name].map { "\(name)=\($0)" }
    }
    var variables: [UnsafeMutablePointer<CChar>?] = unsafe kept.map { unsafe strdup($0) }
    unsafe variables.append(nil)
    var child: pid_t = 0
    let status = unsafe posix_spawn(&child, "/proc/self/exe", &actions, &attributes, words, variables)
    unsafe words.forEach { unsafe free($0) }
    unsafe variables.forEach { unsafe free($0) }
    guard status == 0 else {
      throw Problem(500, "replay.unavailable", "A process cannot be started (errno \(status)).")
    }
    pid = child
    ChildProcess.running.withLock { _ = $0.insert(child) }
  }

  /// Those that this process started and that have not ended.
  private static let running = Mutex<Set<pid_t>>([])

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

  deinit { end(group: false) }

  /// Whether it still runs.
  var isRunning: Bool {
    guard !hasEnded else { return false }
    var raw: Int32 = 0
    // Safe: the number is written during the call.
    let reaped = unsafe waitpid(pid, &raw, WNOHANG)
    guard reaped != 0 else { return true }
    hasEnded = true
    ChildProcess.running.withLock { _ = $0.remove(pid) }
    if reaped == pid, raw & 0x7F == 0 { exitCode = (raw >> 8) & 0xFF }
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

  /// Asks it to end, and makes it end when it does not. `group` ends what it started, too.
  func end(group: Bool) {
    if isRunning {
      kill(pid, SIGTERM)
      if !wait(until: .now + .seconds(5)) {
        kill(group ? -pid : pid, SIGKILL)
        _ = wait(until: .now + .seconds(5))
      }
    }
    if group { kill(-pid, SIGKILL) }
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

  private static let made = Mutex<Set<String>>([])

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

import Glibc
import Kernel
import Patience

/// A process that a test starts, with its output in a file.
final class Child: Sendable {
  let pid: pid_t
  let output: String
  private let status = Monitor<Int32?>(nil)

  init(_ program: String, _ arguments: [String], output: String, environment: [String] = []) {
    self.output = output
    var actions = unsafe posix_spawn_file_actions_t()
    // Safe: everything passed lives until the call returns; the actions are destroyed once.
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var words: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map { unsafe strdup($0) }
    unsafe words.append(nil)
    var variables: [UnsafeMutablePointer<CChar>?] = unsafe (Child.inherited + environment).map {
      unsafe strdup($0)
    }
    unsafe variables.append(nil)
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    var pid: pid_t = 0
    let code = unsafe posix_spawn(&pid, program, &actions, &attributes, words, variables)
    unsafe posix_spawnattr_destroy(&attributes)
    unsafe words.forEach { unsafe free($0) }
    unsafe variables.forEach { unsafe free($0) }
    precondition(code == 0, "\(program) does not start: errno \(code)")
    self.pid = pid
  }

  private static let inherited: [String] = ["PATH", "HOME", "LD_LIBRARY_PATH"].compactMap { (name: String) in
    System.environment(name).map { "\(name)=\($0)" }
  }

  func signal(_ number: Int32) { kill(pid, number) }

  /// The exit code, or minus the signal that ended it; nil when it still runs after so long.
  func wait(minutes: Int = 1) -> Int32? {
    var code: Int32?
    _ = eventually(minutes: minutes) {
      code = reap()
      return code != nil
    }
    return code
  }

  var isRunning: Bool { reap() == nil }

  private func reap() -> Int32? {
    status.withLock { status in
      if let status { return status }
      var raw: Int32 = 0
      guard unsafe waitpid(pid, &raw, WNOHANG) == pid else { return nil }
      status = raw & 0x7F == 0 ? (raw >> 8) & 0xFF : -(raw & 0x7F)
      return status
    }
  }
}

/// What tests ask of the system.
enum System {
  /// Sends a signal to a process that is no child.
  static func signal(_ pid: Int32, _ number: Int32) { kill(pid, number) }

  /// Whether a process lives; one that ended and that nobody waited for does not.
  static func lives(_ pid: Int32) -> Bool {
    let stat = text("/proc/\(pid)/stat")
    return !stat.isEmpty && !stat.contains(") Z ")
  }

  static func text(_ path: String) -> String {
    exists(path) ? String(decoding: bytes(path), as: UTF8.self) : ""
  }

  static func write(_ text: String, to path: String) { write(Array(text.utf8), to: path) }

  static func write(_ bytes: [UInt8], to path: String) {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    precondition(file >= 0, "\(path) cannot be written")
    defer { close(file) }
    // Safe: the count is the array's own.
    precondition(unsafe Glibc.write(file, bytes, bytes.count) == bytes.count)
  }

  static func names(in folder: String) -> [String] {
    guard let stream = unsafe opendir(folder) else { return [] }
    // Safe: used by this call alone; names are copied.
    defer { unsafe closedir(stream) }
    var all: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { all.append(name) }
    }
    return all.sorted()
  }

  static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  static func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  @discardableResult
  static func shell(_ command: String) -> Int32 { unsafe system(command) }

  static func pause(_ duration: Duration) { usleep(UInt32(duration.nanoseconds / 1000)) }

  /// Where the build put executables and shared libraries: beside the test bundle.
  static let products: String = {
    var bytes = [CChar](repeating: 0, count: 4096)
    // Safe: the kernel writes at most the array's count.
    let count = unsafe readlink("/proc/self/exe", &bytes, bytes.count - 1)
    let path = String(decoding: bytes[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if path.hasSuffix(".xctest") { return path.split(separator: "/").dropLast().map { "/" + $0 }.joined() }
    // Run by a helper of the toolchain: the bundle is among its arguments.
    let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? path
    return bundle.split(separator: "/").dropLast().map { "/" + $0 }.joined()
  }()
}

extension System {
  static func bytes(_ path: String) -> [UInt8] {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    precondition(file >= 0, "\(path) cannot be read")
    defer { close(file) }
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      // Safe: the kernel writes at most the array's count.
      let count = unsafe piece.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
      if count <= 0 { return all }
      all += piece[..<count]
    }
  }
}

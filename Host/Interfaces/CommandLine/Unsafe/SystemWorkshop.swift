import Glibc
import Kernel

/// Programs and folders of this machine, by system calls.
package struct SystemWorkshop: Workshop {
  package init() {}

  package var councilProgram: String { SystemFiles().executable ?? "/proc/self/exe" }

  package func open() throws(FileFailure) -> any WorkshopEvents { try SystemWorkshopEvents() }

  package func makeTemporaryFolder() throws(FileFailure) -> String {
    // Safe: the environment is not changed while this runs; the value is copied.
    let root = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var template = Array("\(root)/council-author-XXXXXX".utf8CString)
    // Safe: the call changes the last letters of the text in place; its NUL stays.
    let made = unsafe template.withUnsafeMutableBufferPointer { unsafe mkdtemp($0.baseAddress!) != nil }
    guard made else { throw FileFailure("no folder can be made in '\(root)' (errno \(errno))") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  package func removeFolder(_ path: String) {
    var facts = stat()
    // Safe: the path lives through each call, and the kernel fills the struct. A link is removed, not followed.
    guard unsafe lstat(path, &facts) == 0 else { return }
    if facts.st_mode & S_IFMT == S_IFDIR {
      for name in (try? SystemFiles().names(in: path)) ?? [] { removeFolder("\(path)/\(name)") }
    }
    // Safe: as above. What cannot be removed stays.
    _ = unsafe remove(path)
  }
}

/// Starts a program for ``SystemWorkshopEvents``.
enum Spawning {
  /// Returns the process and the reading end of a pipe with what it says. Its input is empty, its signals are as
  /// usual, its group its own.
  static func start(
    _ program: String, _ arguments: [String], in folder: String?
  ) throws(FileFailure) -> (pid: pid_t, output: Int32) {
    var ends: [Int32] = [-1, -1]
    // Safe: the kernel writes two numbers.
    guard unsafe pipe(&ends) == 0 else { throw FileFailure("no pipe can be made (errno \(errno))") }
    defer { close(ends[1]) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    // Safe, all of it: everything that is passed lives until the call returns; each object is destroyed once.
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    // The shell goes to the folder and becomes the program.
    let line = folder.map { ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", $0, program] } ?? [program]
    var words: [UnsafeMutablePointer<CChar>?] = unsafe (line + arguments).map { unsafe strdup($0) }
    defer { unsafe words.forEach { unsafe free($0) } }
    unsafe words.append(nil)
    var pid: pid_t = 0
    let code = unsafe posix_spawnp(&pid, line[0], &actions, &attributes, words, environ)
    guard code == 0 else {
      close(ends[0])
      throw FileFailure("'\(program)' does not start (errno \(code))")
    }
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    return (pid, ends[0])
  }
}

import Glibc

/// A program that a test starts, reads from and kills.
@safe
final class ChildProcess {
  private let id: pid_t
  private let output: Int32
  private var pending: [UInt8] = []

  /// Starts a product of this package, which lies beside the running tests.
  init(product: String, _ arguments: [String]) throws {
    var pipeEnds: [Int32] = [0, 0]
    // Safe: the array has room for both descriptors.
    guard unsafe pipe(&pipeEnds) == 0 else { throw Failure(code: errno) }
    for end in pipeEnds { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    output = pipeEnds[0]
    let path = ChildProcess.folder + "/" + product
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawn_file_actions_adddup2(&actions, pipeEnds[1], 1)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    // Safe: each copy of an argument lives until it is freed below, after the child was started.
    var argv = unsafe ([path] + arguments).map { unsafe strdup($0) }
    unsafe argv.append(nil)
    defer { for index in unsafe argv.indices { unsafe free(argv[index]) } }
    var child = pid_t()
    let status = unsafe posix_spawn(&child, path, &actions, nil, argv, environ)
    close(pipeEnds[1])
    guard status == 0 else {
      close(pipeEnds[0])
      throw Failure(code: status)
    }
    id = child
  }

  struct Failure: Error { var code: Int32 }

  /// The next line; nil at the end of the output. A last line without an end counts as none.
  func line() -> String? {
    while true {
      if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end + 1)
        return line
      }
      var buffer = [UInt8](repeating: 0, count: 4096)
      // Safe: the buffer has room for what is asked for.
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(output, $0.baseAddress, $0.count) }
      guard count > 0 else { return nil }
      pending += buffer[..<count]
    }
  }

  /// SIGKILL; returns when the process is gone.
  func kill() {
    _ = Glibc.kill(id, SIGKILL)
    var status: Int32 = 0
    // Safe: the status lives during the call.
    unsafe _ = waitpid(id, &status, 0)
  }

  deinit { close(output) }

  private static var folder: String {
    var buffer = [CChar](repeating: 0, count: 4096)
    // Safe: the call writes at most what it is told there is room for.
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
    let path = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // The test bundle may be run by a helper of the toolchain; its own path is then among the arguments.
    for candidate in [path] + CommandLine.arguments where candidate.contains(".xctest") {
      if let slash = candidate.lastIndex(of: "/") { return String(candidate[..<slash]) }
    }
    return "."
  }
}

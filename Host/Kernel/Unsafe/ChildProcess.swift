import CProcesses
import Glibc

/// A process that this one started, and that is killed when the thread that started it ends.
@safe
package struct ChildProcess: Sendable {
  package let id: Int32
  /// Becomes readable when the process ends. Whoever holds this struct closes it.
  package let descriptor: Int32

  package struct Failure: Error, Sendable {
    /// An errno.
    package var number: Int32
  }

  package enum Ending: Sendable, Equatable {
    case exit(Int32)
    case signal(Int32)
  }

  /// Starts a program; `arguments` hold its name, `environment` is all it gets. `descriptors` become 0, 1, 2 … of the
  /// child, -1 standing for /dev/null; nothing else is inherited. It begins in the folder / unless it keeps ours.
  package static func start(
    _ executable: String, _ arguments: [String], environment: [String], descriptors: [Int32],
    keepsFolder: Bool = false, isolates: Bool = false
  ) -> Result<ChildProcess, Failure> {
    var id: pid_t = 0
    var descriptor: Int32 = -1
    // Safe: every string and list lives until the child has executed, which the call waits for.
    let status = unsafe withCStrings(arguments) { arguments in
      unsafe withCStrings(environment) { environment in
        unsafe executable.withCString { path in
          unsafe descriptors.withUnsafeBufferPointer { descriptors in
            var request = unsafe cprocesses_request(
              path: path, argv: arguments, envp: environment, fds: descriptors.baseAddress,
              fd_count: descriptors.count, keeps_folder: keepsFolder, isolates: isolates)
            return unsafe cprocesses_spawn(&request, &id, &descriptor)
          }
        }
      }
    }
    return status == 0
      ? .success(ChildProcess(id: id, descriptor: descriptor)) : .failure(Failure(number: status))
  }

  /// How the process ended; nil while it runs. Once it has ended, its id is free: only one call gets the answer.
  package func reap() -> Ending? {
    var status: Int32 = 0
    // Safe: the call writes one number.
    guard unsafe waitpid(id, &status, WNOHANG) == id else { return nil }
    return status & 0x7F == 0 ? .exit((status >> 8) & 0xFF) : .signal(status & 0x7F)
  }

  /// Kills what it started and what is still in its process group. Between its end and ``reap()``, when its id is its own.
  package func killGroup() { _ = Glibc.kill(-id, SIGKILL) }

  /// Sends SIGABRT.
  package func abort() { _ = Glibc.kill(id, SIGABRT) }

  package func kill() { _ = Glibc.kill(id, SIGKILL) }
}

/// Lends a list of C strings that ends with NULL.
@unsafe
package func withCStrings<Result>(
  _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  // Safe: the copies are freed after the body returned.
  var copies: [UnsafeMutablePointer<CChar>?] = unsafe strings.map { unsafe strdup($0) } + [nil]
  defer { for index in unsafe copies.indices { unsafe free(copies[index]) } }
  return unsafe copies.withUnsafeMutableBufferPointer { unsafe body(UnsafePointer($0.baseAddress!)) }
}

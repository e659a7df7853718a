import Glibc

/// Connections held by another process, a shell, because one process may not open both ends of so many.
@safe
final class Crowd {
  private let process: UnsafeMutablePointer<FILE>

  /// Begins to open `count` connections; every tenth sends a request, whose answer nobody reads.
  init(_ count: Int, port: Int) throws {
    let script = """
      exec bash -c 'for i in {1..\(count)}; do exec {fd}<>/dev/tcp/127.0.0.1/\(port) || exit 1
      if ((i % 10 == 0)); then printf "GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n" >&$fd; fi; done
      read line'
      """
    // Safe: the text is copied; the stream is closed once, by `leave`.
    guard let process = unsafe popen(script, "we") else { throw Peer.Failure(call: "popen", number: errno) }
    unsafe self.process = process
  }

  /// Ends the process, which closes its connections. Once.
  func leave() { unsafe pclose(process) }
}

import Glibc
import Scratch

/// A self-signed certificate in a folder of its own, and a client that trusts everybody: the openssl command.
final class Certificate {
  let folder: String

  init() throws {
    folder = Scratch.makeFolder("tls")
    _ = run(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
        + "-keyout \(keyFile) -out \(certificateFile) 2>&1")
  }

  deinit { Scratch.remove(folder) }

  var certificateFile: String { folder + "/certificate.pem" }
  var keyFile: String { folder + "/key.pem" }

  /// Sends a request and returns all that comes until the server closes, or for five seconds.
  func client(port: Int, _ options: String, send request: String) -> String {
    let file = folder + "/request"
    guard let stream = unsafe fopen(file, "we") else { return "" }
    unsafe fputs(request, stream)
    unsafe fclose(stream)
    return run(
      "timeout 5 openssl s_client -quiet -connect 127.0.0.1:\(port) \(options) <\(file) 2>/dev/null"
    )
  }

  private func run(_ command: String) -> String {
    // Safe: the stream is read to its end and closed once.
    guard let stream = unsafe popen(command, "re") else { return "" }
    var all: [UInt8] = []
    var byte = unsafe getc(stream)
    while byte != EOF {
      all.append(UInt8(byte))
      unsafe byte = getc(stream)
    }
    unsafe pclose(stream)
    return String(decoding: all, as: UTF8.self)
  }
}

/// A listening socket that a test owns.
final class Listening {
  let descriptor: Int32
  let port: Int

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // Safe: the address is a sockaddr_in; getsockname fills it.
    let status = unsafe withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        let bound = unsafe bind(descriptor, pointer, length)
        return unsafe bound + listen(descriptor, 16) + getsockname(descriptor, pointer, &length)
      }
    }
    port = Int(UInt16(bigEndian: address.sin_port))
    guard status == 0 else { throw Peer.Failure(call: "listen", number: errno) }
  }

  deinit { close(descriptor) }
}

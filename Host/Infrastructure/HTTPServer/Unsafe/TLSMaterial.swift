import Glibc
import Kernel

/// Certificate, key and priorities as NUL-terminated text, at fixed addresses for the C library.
@safe
final class TLSMaterial: @unchecked Sendable {
  // Written in init, read by the library while it starts.
  let certificate: UnsafeMutablePointer<CChar>
  let key: UnsafeMutablePointer<CChar>
  let priorities: UnsafeMutablePointer<CChar>

  private static let maxBytes = 1 << 20

  init(_ files: HTTPServerConfiguration.TLS) throws(Problem) {
    let chain = try TLSMaterial.read(files.certificateFile)
    let secret = try TLSMaterial.read(files.keyFile)
    unsafe certificate = TLSMaterial.text(chain)
    unsafe key = TLSMaterial.text(secret)
    unsafe priorities = TLSMaterial.text(Array(files.priorities.utf8))
  }

  deinit {
    // The key does not stay in freed memory.
    unsafe explicit_bzero(key, strlen(key))
    unsafe certificate.deallocate()
    unsafe key.deallocate()
    unsafe priorities.deallocate()
  }

  private static func text(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar> {
    // Safe: one byte more than the text, for its NUL.
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
    for (index, byte) in bytes.enumerated() { unsafe copy[index] = CChar(bitPattern: byte) }
    unsafe copy[bytes.count] = 0
    return unsafe copy
  }

  private static func read(_ path: String) throws(Problem) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Problem(500, "http.tls", "\(path): \(Failure.text(errno))")
    }
    defer { _ = Glibc.close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
      // Safe: the buffer has the room that is passed.
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
      }
      guard count >= 0 else {
        throw Problem(500, "http.tls", "\(path): \(Failure.text(errno))")
      }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
      guard bytes.count <= maxBytes else { throw Problem(500, "http.tls", "\(path) is larger than 1 MiB.") }
    }
  }
}

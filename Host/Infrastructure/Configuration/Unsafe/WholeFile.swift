import Glibc

/// A regular file, read whole.
package enum WholeFile {
  /// nil when it cannot be read, is something else, or is longer.
  package static func read(_ path: String, maxBytes: Int) -> [UInt8]? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var facts = stat()
    // Safe: the kernel fills the struct of the open file.
    guard unsafe fstat(file, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_size <= maxBytes else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: maxBytes + 1)
    var count = 0
    while count < bytes.count {
      let got = unsafe bytes.withUnsafeMutableBytes { buffer in
        // Safe: the rest of the buffer is that long.
        unsafe Glibc.read(file, buffer.baseAddress! + count, buffer.count - count)
      }
      if got == 0 { break }
      if got < 0 { return nil }
      count += got
    }
    return count <= maxBytes ? Array(bytes[..<count]) : nil
  }
}

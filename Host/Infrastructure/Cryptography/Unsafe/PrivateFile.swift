import Glibc

/// A file that only its owner can read.
enum PrivateFile {
  struct Fault: Error {
    var reason: String
  }

  static func read(_ path: String, maxBytes: Int) -> Result<[UInt8], Fault> {
    // Safe: the text lives during the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return .failure(Fault(reason: "cannot be opened (errno \(errno))")) }
    defer { close(file) }
    var facts = stat()
    // Safe: the kernel fills the struct of the open file.
    guard unsafe fstat(file, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
      return .failure(Fault(reason: "is no regular file"))
    }
    guard facts.st_mode & 0o077 == 0 else {
      return .failure(Fault(reason: "can be read by others than its owner: chmod 600"))
    }
    guard facts.st_uid == geteuid() || facts.st_uid == 0 else {
      return .failure(Fault(reason: "belongs to another user"))
    }
    guard facts.st_size <= maxBytes else {
      return .failure(Fault(reason: "is longer than \(maxBytes) bytes"))
    }
    var bytes = [UInt8](repeating: 0, count: maxBytes)
    var count = 0
    while count < bytes.count {
      let got = unsafe bytes.withUnsafeMutableBytes { buffer in
        // Safe: the rest of the buffer is that long.
        unsafe Glibc.read(file, buffer.baseAddress! + count, buffer.count - count)
      }
      if got < 0 { return .failure(Fault(reason: "cannot be read (errno \(errno))")) }
      if got == 0 { break }
      count += got
    }
    return .success(Array(bytes[..<count]))
  }
}

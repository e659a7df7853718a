import Glibc
import Kernel

/// An open file, closed when it is let go.
final class Descriptor {
  private let number: Int32

  private init(_ number: Int32) { self.number = number }

  deinit { Glibc.close(number) }

  /// Opens what must be a regular file. Never blocks on a FIFO, never follows a link at the end of the path.
  static func open(reading path: String) throws(Problem) -> (file: Descriptor, bytes: Int) {
    // Safe: the path is lent for the call.
    let number = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard number >= 0 else {
      switch errno {
      case ENOENT, ENOTDIR: throw Problem(404, "plugin.file.not_found", "There is no file at \(path).")
      case ELOOP:
        throw Problem(422, "plugin.file.not_regular", "\(path) is a symbolic link; name the file itself.")
      default: throw failure("cannot be opened", path)
      }
    }
    let file = Descriptor(number)
    var facts = stat()
    // Safe: the kernel fills the struct of an open descriptor.
    guard unsafe fstat(number, &facts) == 0 else { throw failure("cannot be examined", path) }
    guard facts.st_mode & S_IFMT == S_IFREG else {
      throw Problem(422, "plugin.file.not_regular", "\(path) is not a regular file.")
    }
    return (file, Int(facts.st_size))
  }

  /// Creates a file that must not exist yet, for its owner alone.
  static func create(_ path: String) throws(Problem) -> Descriptor {
    let number = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard number >= 0 else { throw failure("cannot be created", path) }
    return Descriptor(number)
  }

  /// Reads up to `count` bytes into the end of `bytes`; returns how many came, 0 at the end.
  func read(_ count: Int, into bytes: inout [UInt8]) throws(Problem) -> Int {
    let start = bytes.count
    bytes += [UInt8](repeating: 0, count: count)
    let got = unsafe bytes.withUnsafeMutableBytes { buffer in
      // Safe: `count` bytes follow `start`.
      unsafe Glibc.read(number, buffer.baseAddress! + start, count)
    }
    bytes.removeLast(count - max(got, 0))
    if got < 0 {
      throw Problem(422, "plugin.file.unreadable", "The file cannot be read (errno \(errno)).")
    }
    return got
  }

  func write(_ bytes: Span<UInt8>) throws(Problem) {
    var written = 0
    while written < bytes.count {
      let sent = unsafe bytes.withUnsafeBufferPointer { buffer in
        // Safe: the offset stays within the span.
        unsafe Glibc.write(number, buffer.baseAddress! + written, buffer.count - written)
      }
      if sent < 0, errno == EINTR { continue }
      if sent <= 0 { throw Descriptor.failure("cannot be written", "the plugin's file") }
      written += sent
    }
  }

  func makeReadOnly() throws(Problem) {
    guard fchmod(number, 0o444) == 0, fsync(number) == 0 else {
      throw Descriptor.failure("cannot be made durable", "the plugin's file")
    }
  }

  /// Returns when everything written is on disk.
  func sync() throws(Problem) {
    guard fsync(number) == 0 else { throw Descriptor.failure("cannot be made durable", "the file") }
  }

  static func failure(_ what: String, _ path: String) -> Problem {
    // errno is read first: what follows may overwrite it.
    let code = errno
    let reason = unsafe String(cString: strerror(code))
    let isFull = code == ENOSPC || code == EDQUOT
    return Problem(
      isFull ? 503 : 500, isFull ? "storage.full" : "storage.failed", "\(path) \(what): \(reason).")
  }
}

/// Folders and names.
enum Folder {
  static func make(_ path: String) throws(Problem) {
    var partial = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      let parent = partial.isEmpty ? "." : partial
      partial += part + "/"
      if unsafe mkdir(partial, 0o700) == 0 {
        try sync(parent)
      } else if errno != EEXIST {
        throw Descriptor.failure("cannot be created", partial)
      }
    }
  }

  static func rename(_ from: String, to target: String) throws(Problem) {
    // RENAME_NOREPLACE would be stricter, but a number is never given twice and the folder is ours.
    guard unsafe Glibc.rename(from, target) == 0 else { throw Descriptor.failure("cannot be moved", from) }
  }

  /// Makes names in a folder durable.
  static func sync(_ path: String) throws(Problem) {
    let number = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0 else { throw Descriptor.failure("cannot be opened", path) }
    defer { close(number) }
    guard fsync(number) == 0 else { throw Descriptor.failure("cannot be made durable", path) }
  }

  static func remove(_ path: String) { _ = unsafe unlink(path) }

  static func names(in path: String) -> [String] {
    guard let folder = unsafe opendir(path) else { return [] }
    // Safe: opened above, closed once; each entry is read before the next call replaces it.
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}

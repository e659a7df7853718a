import Glibc

/// Files of this machine, by system calls.
package final class SystemFiles: LocalFiles {
  package init() {}

  package func read(_ path: String, maxBytes: Int) throws(FileFailure) -> [UInt8] {
    // Safe: open takes a path that lives through the call. NONBLOCK: a FIFO must not hang here.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure("read", path) }
    defer { close(descriptor) }
    var status = stat()
    // Safe: fstat fills the struct that is passed.
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw FileFailure("'\(path)' is no regular file")
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(Int(status.st_size), maxBytes) + 1)
    var piece = [UInt8](repeating: 0, count: 256 * 1024)
    while true {
      let count = unsafe piece.withUnsafeMutableBytes { raw in
        // Safe: the buffer is as long as is said.
        unsafe Glibc.read(descriptor, raw.baseAddress!, raw.count)
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure("read", path) }
      if count == 0 { return bytes }
      bytes += piece[..<count]
      guard bytes.count <= maxBytes else {
        throw FileFailure("'\(path)' has more than \(maxBytes) bytes")
      }
    }
  }

  package func kind(_ path: String) -> FileKind {
    switch (status(path)?.st_mode).map({ $0 & S_IFMT }) {
    case nil: .missing
    case S_IFREG: .file
    case S_IFDIR: .folder
    default: .other
    }
  }

  package func mode(_ path: String) -> Int? { status(path).map { Int($0.st_mode & 0o7777) } }

  package func advance(_ path: String, past second: Int64?) -> Int64? {
    guard let status = status(path) else { return nil }
    let written = Int64(status.st_mtim.tv_sec)
    guard let second, written <= second else { return written }
    var times = [status.st_atim, status.st_mtim]
    times[1].tv_sec = Int(second + 1)
    // Safe: two times, read during the call; the path lives through it.
    return unsafe utimensat(AT_FDCWD, path, &times, 0) == 0 ? second + 1 : written
  }

  private func status(_ path: String) -> stat? {
    var status = stat()
    // Safe: stat fills the struct that is passed; the path lives through the call.
    return unsafe stat(path, &status) == 0 ? status : nil
  }

  package func names(in folder: String) throws(FileFailure) -> [String] {
    guard let stream = unsafe opendir(folder) else { throw failure("read", folder) }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    // Safe: an entry is read before the next call on the stream, which nobody else has; its name ends with NUL.
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { place in
        unsafe place.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  package func absolute(_ path: String) -> String {
    let start = path.hasPrefix("/") ? "" : currentFolder
    var parts: [Substring] = []
    for part in (start + "/" + path).split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }

  private var currentFolder: String {
    // Safe: with nil, getcwd allocates text that ends with NUL; it is freed once.
    guard let text = unsafe getcwd(nil, 0) else { return "" }
    defer { unsafe free(text) }
    return unsafe String(cString: text)
  }

  package func makeFolder(_ path: String) throws(FileFailure) {
    var made = ""
    for part in absolute(path).split(separator: "/") {
      made += "/" + part
      // Safe: the path lives through the call.
      if unsafe mkdir(made, 0o755) != 0, kind(made) != .folder { throw failure("make", made) }
    }
  }

  package func create(_ path: String, mode: Int) throws(FileFailure) -> any OutputFile {
    // Safe: the path lives through the call. EXCL: nothing is overwritten, and no link followed.
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(mode))
    guard descriptor >= 0 else {
      throw errno == EEXIST ? FileFailure("'\(path)' exists: nothing is overwritten") : failure("write", path)
    }
    return SystemFile(descriptor, path)
  }

  package var executable: String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    // Safe: at most as many bytes as the buffer has are written.
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
    guard count > 0, count < buffer.count else { return nil }
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func failure(_ verb: String, _ path: String) -> FileFailure {
    SystemFile.failure(verb, path)
  }
}

/// A file that is being written. One thread at a time.
private final class SystemFile: OutputFile {
  private var descriptor: Int32
  private let path: String

  init(_ descriptor: Int32, _ path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

  func write(_ bytes: [UInt8]) throws(FileFailure) {
    var start = 0
    while start < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { raw in
        // Safe: the range lies within the array, which outlives the call.
        unsafe Glibc.write(descriptor, raw.baseAddress! + start, raw.count - start)
      }
      if written < 0, errno == EINTR { continue }
      guard written >= 0 else { throw SystemFile.failure("write", path) }
      start += written
    }
  }

  func close() throws(FileFailure) {
    guard descriptor >= 0 else { return }
    defer {
      Glibc.close(descriptor)
      descriptor = -1
    }
    // A pipe or a device cannot be synced, and needs not be.
    guard fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS else {
      throw SystemFile.failure("write", path)
    }
  }

  static func failure(_ verb: String, _ path: String) -> FileFailure {
    let code = errno
    // Safe: strerror gives text that ends with NUL; it is copied at once, on the command line's only thread.
    return FileFailure("cannot \(verb) '\(path)': \(unsafe String(cString: strerror(code)))")
  }
}

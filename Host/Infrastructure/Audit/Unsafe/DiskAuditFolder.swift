import Glibc
import Kernel
import Synchronization

/// An audit folder on a local disk.
package final class DiskAuditFolder: AuditFolder {
  private let path: String
  /// Held while this object lives, or -1.
  private let lockFile = Atomic<Int32>(-1)

  /// Makes the folder, for its owner alone, when it is missing; its parent exists.
  package init(_ path: String) throws(AuditFileError) {
    self.path = path
    // Safe: the string lives as long as the call.
    if unsafe mkdir(path, 0o700) != 0 && errno != EEXIST { throw AuditFileError("mkdir", code: errno) }
  }

  package func names() throws(AuditFileError) -> [String] {
    guard let folder = unsafe opendir(path) else { throw AuditFileError("list", code: errno) }
    // Safe: the stream is ours, and an entry is read before the next call replaces it.
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  package func open(_ name: String, creating: Bool) throws(AuditFileError) -> any AuditFile {
    let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (creating ? O_CREAT : 0)
    // Safe: the string lives as long as the call.
    let file = unsafe Glibc.open("\(path)/\(name)", flags, 0o600)
    guard file >= 0 else { throw AuditFileError("open", code: errno) }
    return DiskAuditFile(file)
  }

  package func remove(_ name: String) throws(AuditFileError) {
    // Safe: as above.
    if unsafe unlink("\(path)/\(name)") != 0 { throw AuditFileError("remove", code: errno) }
  }

  deinit {
    let file = lockFile.load(ordering: .relaxed)
    if file >= 0 { close(file) }
  }

  package func aside(_ name: String, creating: Bool) throws(AuditFileError) -> any AuditFolder {
    let aside = try DiskAuditFolder("\(path)/\(name)")
    if creating {
      guard try aside.lock() else { throw AuditFileError("lock", code: EWOULDBLOCK) }
      try sync()
    }
    return aside
  }

  package func lock() throws(AuditFileError) -> Bool {
    // Safe: as above.
    let file = unsafe Glibc.open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw AuditFileError("open", code: errno) }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      close(file)
      return false
    }
    lockFile.store(file, ordering: .relaxed)
    return true
  }

  package func removeAside(_ name: String) throws(AuditFileError) {
    var name = name
    if name.hasPrefix(Aside.prefix) {
      // A crash must not leave half of it under a name that says that it is whole.
      // Safe: as above.
      if unsafe rename("\(path)/\(name)", "\(path)/\(Aside.gone)\(name)") != 0 {
        throw AuditFileError("rename", code: errno)
      }
      name = Aside.gone + name
    }
    let aside = try DiskAuditFolder("\(path)/\(name)")
    for file in try aside.names() { try aside.remove(file) }
    // Safe: as above.
    if unsafe rmdir("\(path)/\(name)") != 0 { throw AuditFileError("remove", code: errno) }
  }

  package func keepBrokenAside(_ name: String) throws(AuditFileError) {
    // Safe: as above.
    if unsafe rename("\(path)/\(name)", "\(path)/broken-\(name)") != 0 {
      throw AuditFileError("rename", code: errno)
    }
  }

  package func sync() throws(AuditFileError) {
    // Safe: as above.
    let folder = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw AuditFileError("open", code: errno) }
    defer { close(folder) }
    if fsync(folder) != 0 { throw AuditFileError("sync", code: errno) }
  }
}

private final class DiskAuditFile: AuditFile {
  private let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  var size: Int {
    get throws(AuditFileError) {
      var facts = stat()
      // Safe: the kernel fills the struct.
      if unsafe fstat(descriptor, &facts) != 0 { throw AuditFileError("stat", code: errno) }
      return Int(facts.st_size)
    }
  }

  func write(_ bytes: Span<UInt8>, at offset: Int) throws(AuditFileError) {
    var done = 0
    while done < bytes.count {
      let rest = bytes.extracting(done..<bytes.count)
      let written = unsafe rest.withUnsafeBufferPointer { source in
        // Safe: the kernel reads `count` bytes and keeps no pointer.
        unsafe pwrite(descriptor, source.baseAddress, source.count, offset + done)
      }
      if written < 0 {
        if errno == EINTR { continue }
        throw AuditFileError("write", code: errno)
      }
      done += written
    }
  }

  func read(_ count: Int, at offset: Int, into arena: Arena) throws(AuditFileError) -> Int {
    var buffer = [UInt8](repeating: 0, count: count)
    while true {
      // Safe: the kernel writes at most `count` bytes, which the buffer holds.
      let got = unsafe buffer.withUnsafeMutableBytes { target in
        unsafe pread(descriptor, target.baseAddress, target.count, offset)
      }
      if got >= 0 {
        arena.append(buffer.span.extracting(0..<got))
        return got
      }
      if errno != EINTR { throw AuditFileError("read", code: errno) }
    }
  }

  func truncate(to size: Int) throws(AuditFileError) {
    if ftruncate(descriptor, size) != 0 { throw AuditFileError("truncate", code: errno) }
  }

  func sync() throws(AuditFileError) {
    if fdatasync(descriptor) != 0 { throw AuditFileError("sync", code: errno) }
  }
}

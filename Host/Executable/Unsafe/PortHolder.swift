import Glibc

/// Who listens on a TCP port of this machine, as far as /proc tells this user.
enum PortHolder {
  /// `name (process 12)`; nil when nobody does, or it is another user's process.
  static func find(port: Int) -> String? {
    let sockets = Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap { listening($0, port) })
    guard !sockets.isEmpty else { return nil }
    for process in names("/proc") where Int(process) != nil {
      for descriptor in names("/proc/\(process)/fd") {
        guard let target = link("/proc/\(process)/fd/\(descriptor)"), sockets.contains(target) else {
          continue
        }
        let name = text("/proc/\(process)/comm").prefix { $0 != "\n" }
        return "\(name) (process \(process))"
      }
    }
    return nil
  }

  /// The sockets of a table of the kernel's that listen on `port`, as links of descriptors name them.
  private static func listening(_ table: String, _ port: Int) -> [String] {
    text(table).split(separator: "\n").dropFirst().compactMap { line in
      let fields = line.split(separator: " ")
      // sl, local address, remote address, state (0A listens), queues, timer, retransmits, uid, timeout, inode
      guard fields.count > 9, fields[3] == "0A", let local = fields[1].split(separator: ":").last,
        Int(local, radix: 16) == port
      else { return nil }
      return "socket:[\(fields[9])]"
    }
  }

  private static func names(_ folder: String) -> [String] {
    guard let stream = unsafe opendir(folder) else { return [] }
    // Safe: used by this call alone; names are copied.
    defer { unsafe closedir(stream) }
    var all: [String] = []
    while let entry = unsafe readdir(stream) {
      all.append(
        unsafe withUnsafePointer(to: entry.pointee.d_name) { pointer in
          unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
        })
    }
    return all
  }

  private static func link(_ path: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: 256)
    // Safe: the kernel writes at most the array's count.
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      unsafe readlink(path, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
    }
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }

  /// At most 4 MiB of a file of /proc, whose size the kernel does not say.
  private static func text(_ path: String) -> String {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while all.count < 4 << 20 {
      // Safe: the kernel writes at most the array's count.
      let count = unsafe piece.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
      if count <= 0 { break }
      all += piece[..<count]
    }
    return String(decoding: all, as: UTF8.self)
  }
}

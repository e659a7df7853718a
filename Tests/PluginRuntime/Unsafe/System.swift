import Glibc

/// What this process and its machine look like from outside.
enum System {
  /// What every open descriptor of this process points to, but for those that the runtime has nothing to do with.
  static func descriptors() -> [String] {
    names("/proc/self/fd").compactMap { target("/proc/self/fd/\($0)") }.filter { link in
      link.hasPrefix("pipe:") || link.hasPrefix("/memfd:council") || link.contains("pidfd")
        || link.hasPrefix(Workshop.folder)
    }
  }

  /// Whether a process of that name lives.
  static func hasProcess(named name: String) -> Bool {
    names("/proc").contains { entry in
      guard let first = entry.utf8.first, first >= UInt8(ascii: "1"), first <= UInt8(ascii: "9") else {
        return false
      }
      return text("/proc/\(entry)/comm") == name + "\n"
    }
  }

  /// Bytes of memory that this process occupies.
  static func residentBytes() -> Int {
    let fields = text("/proc/self/statm").split(separator: " ")
    return Int(fields[1])! * sysconf(Int32(_SC_PAGESIZE))
  }

  /// Whether this process runs under the address or the thread sanitizer.
  static var isSanitized: Bool { isThreadSanitized || has("__asan_init") }
  static var isThreadSanitized: Bool { has("__tsan_init") }

  private static func has(_ symbol: String) -> Bool {
    // Safe: a name that is looked up in this process and never called.
    unsafe dlsym(nil, symbol) != nil
  }

  static func pause() { usleep(200) }

  static func directory() -> String {
    // Safe: getcwd allocates; the text is copied and freed.
    guard let path = unsafe getcwd(nil, 0) else { return "/" }
    defer { unsafe free(path) }
    return unsafe String(cString: path)
  }

  static func executableFolder() -> String {
    let path = target("/proc/self/exe") ?? ""
    return path.split(separator: "/").dropLast().map { "/" + $0 }.joined()
  }

  private static func names(_ folder: String) -> [String] {
    // Safe: the stream is used by this call alone, and its names are copied.
    guard let stream = unsafe folder.withCString({ unsafe opendir($0) }) else { return [] }
    defer { unsafe closedir(stream) }
    var all: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: entry.pointee.d_name) { name in
        unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { all.append(name) }
    }
    return all
  }

  private static func target(_ link: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    // Safe: the kernel writes at most the array's count.
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      unsafe link.withCString {
        unsafe readlink($0, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
      }
    }
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }

  private static func text(_ path: String) -> String {
    // Safe: the path is lent as a C string.
    let file = unsafe path.withCString { unsafe open($0, O_RDONLY | O_CLOEXEC) }
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    // Safe: the kernel writes at most the array's count.
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress!, $0.count) }
    return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
  }
}

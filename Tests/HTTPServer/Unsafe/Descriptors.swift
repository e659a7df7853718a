import Glibc

/// The descriptors of this process.
enum Descriptors {
  static var count: Int {
    guard let folder = unsafe opendir("/proc/self/fd") else { return -1 }
    // Safe: the folder was opened above, and is closed once.
    defer { unsafe closedir(folder) }
    var count = 0
    while unsafe readdir(folder) != nil { count += 1 }
    return count
  }
}

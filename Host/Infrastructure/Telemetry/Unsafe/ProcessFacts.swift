import Glibc
import Kernel

/// What the system knows of this process, under the names that Prometheus clients share.
struct ProcessFacts {
  var cpuSeconds: Double
  var residentBytes: Int
  var virtualBytes: Int
  var threads: Int
  var startSeconds: Double
  var openDescriptors: Int
  var maxDescriptors: Double

  /// nil where /proc cannot be read.
  static func read() -> ProcessFacts? {
    guard let stat = contents(of: "/proc/self/stat"), let system = contents(of: "/proc/stat") else {
      return nil
    }
    // The name in parentheses may hold spaces: fields are counted from behind it.
    guard let close = stat.lastIndex(of: ")") else { return nil }
    let fields = stat[stat.index(after: close)...].split(separator: " ")
    let boot = system.split(separator: "\n").first { $0.hasPrefix("btime ") }?.dropFirst(6)
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    // proc_pid_stat(5): utime is field 14, the first after the name is 3.
    guard fields.count > 21, let user = Double(fields[11]), let kernel = Double(fields[12]),
      let threads = Int(fields[17]), let start = Double(fields[19]), let virtual = Int(fields[20]),
      let resident = Int(fields[21]), let boot = boot.flatMap({ Double($0) })
    else { return nil }
    return ProcessFacts(
      cpuSeconds: (user + kernel) / ticks, residentBytes: resident * sysconf(Int32(_SC_PAGESIZE)),
      virtualBytes: virtual, threads: threads, startSeconds: boot + start / ticks,
      openDescriptors: countDescriptors(), maxDescriptors: descriptorLimit())
  }

  func expose(to text: Arena) {
    let all: [(String, String, StaticString, Double)] = [
      ("process_cpu_seconds_total", "User and system CPU time.", "counter", cpuSeconds),
      ("process_resident_memory_bytes", "Resident memory.", "gauge", Double(residentBytes)),
      ("process_virtual_memory_bytes", "Virtual memory.", "gauge", Double(virtualBytes)),
      ("process_threads", "Threads of the operating system.", "gauge", Double(threads)),
      ("process_start_time_seconds", "Start, since the epoch.", "gauge", startSeconds),
      ("process_open_fds", "Open file descriptors.", "gauge", Double(openDescriptors)),
      ("process_max_fds", "Limit of open file descriptors.", "gauge", maxDescriptors),
    ]
    for (name, help, type, value) in all {
      header(name, help, type, to: text)
      text.append("\(name) \(exposedNumber(value))\n")
    }
  }

  private static func contents(of path: String) -> String? {
    // Safe: the string lives as long as the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16 << 10)
    while bytes.count < 1 << 20 {
      // Safe: the kernel writes at most the buffer's count.
      let count = unsafe piece.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
      guard count > 0 else { break }
      bytes += piece[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func countDescriptors() -> Int {
    guard let folder = unsafe opendir("/proc/self/fd") else { return 0 }
    // Safe: the stream is ours, closed once.
    defer { unsafe closedir(folder) }
    var count = 0
    while unsafe readdir(folder) != nil { count += 1 }
    // Itself, `.` and `..` are not what was asked for.
    return count - 3
  }

  private static func descriptorLimit() -> Double {
    var limit = rlimit()
    // Safe: the kernel fills the struct.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
  }
}

import CThreads
import Glibc

/// How long threads of this process were ready to run and had no processor.
package enum ThreadDelay {
  /// The calling thread's name in /proc.
  package static var ownID: Int32 { cthreads_id() }

  /// Nanoseconds since the thread began; 0 where the kernel does not say. Opens a file: not for each request.
  package static func of(_ id: Int32) -> UInt64 {
    let path = "/proc/self/task/\(id)/schedstat"
    // Safe: the path is lent as a C string.
    let file = unsafe path.withCString { unsafe open($0, O_RDONLY | O_CLOEXEC) }
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 128)
    // Safe: the kernel writes at most the array's count.
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress!, $0.count) }
    let fields = bytes.prefix(max(0, count)).split(separator: UInt8(ascii: " "))
    return fields.count > 1 ? UInt64(String(decoding: fields[1], as: UTF8.self)) ?? 0 : 0
  }
}

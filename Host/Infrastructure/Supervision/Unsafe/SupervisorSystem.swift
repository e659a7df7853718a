import CSupervision
import Glibc
import Kernel

/// Signals as events of a descriptor.
@safe
struct SignalQueue {
  enum Event { case end, reload, handOver }

  let descriptor: Int32

  /// The signals are blocked from now on. One thread, before there is another.
  init?() {
    descriptor = csupervision_signals()
    if descriptor < 0 { return nil }
  }

  func next() -> Event? {
    switch csupervision_next_signal(descriptor) {
    case SIGTERM, SIGINT: .end
    case SIGHUP: .reload
    case SIGUSR2: .handOver
    default: nil
    }
  }
}

/// The supervisor's calls of the system.
@safe
enum SupervisorSystem {
  static let abort = SIGABRT
  static let kill = SIGKILL

  /// Waits until one of the descriptors can be read, at most until the deadline; returns which.
  static func wait(for descriptors: [Int32], until deadline: Instant?) -> [Bool] {
    var set = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    var patience: Int32 = -1
    if let deadline {
      // The rounding waits a millisecond more, not less.
      patience = Int32(clamping: max(0, deadline - Instant.now) / 1_000_000 + 1)
    }
    // Safe: the array has as many entries as are passed.
    _ = unsafe set.withUnsafeMutableBufferPointer { unsafe poll($0.baseAddress, nfds_t($0.count), patience) }
    return set.map { $0.revents != 0 }
  }

  /// A file in memory with this text, which no program inherits; -1 when there is none.
  static func memoryFile(_ bytes: [UInt8]) -> Int32 {
    let file = csupervision_memory_file()
    guard file >= 0 else { return -1 }
    var done = 0
    while done < bytes.count {
      // Safe: the pointer is valid for what is left of the bytes.
      let wrote = unsafe bytes.withUnsafeBytes {
        unsafe pwrite(file, $0.baseAddress! + done, bytes.count - done, done)
      }
      guard wrote > 0 else {
        close(file)
        return -1
      }
      done += wrote
    }
    return file
  }

  static func close(_ descriptor: Int32) { Glibc.close(descriptor) }

  /// Whether a process is stopped by a signal, or by somebody who traces it.
  static func isStopped(_ process: Int32) -> Bool {
    csupervision_is_stopped(process)
  }

  static func releaseMemory() { csupervision_release_memory() }

  static func signalName(_ number: Int32) -> String {
    guard let name = unsafe csupervision_signal_name(number) else { return "signal \(number)" }
    // Safe: the name is glibc's, and static.
    return "SIG" + (unsafe String(cString: name))
  }

  /// One line to standard error, whole or not at all: whoever does not read there must not hold up the supervisor.
  static func writeLine(_ text: String) {
    let bytes = Array(text.utf8)
    guard csupervision_is_writable(STDERR_FILENO) else { return }
    // Safe: the count is the array's own.
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
  }
}

/// Reads the configuration that the supervisor passed. [main]
package enum InheritedConfiguration {
  package static func read() -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      // Safe: the kernel writes at most the chunk's count. A position of our own: other hosts share the file's.
      let got = unsafe chunk.withUnsafeMutableBytes {
        unsafe pread(HostDescriptors.configuration, $0.baseAddress!, $0.count, all.count)
      }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { return all }
      all += chunk[..<got]
    }
  }

  /// What a host inherited stays with it: nothing that it starts gets it.
  package static func keepInherited() {
    for descriptor in HostDescriptors.all {
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }
  }
}

import Glibc
import Kernel

/// Memory that a probe's two processes share: where the inner one says what it does, and what came of it.
///
/// It is no descriptor, so a plugin that writes into every descriptor it finds reaches nobody. The plugin's code can
/// scribble here; the outer process therefore believes a report only if it ends with the secret that the inner one
/// was given, fits its bounds, and makes sense.
@safe
final class SharedReport {
  private static let phaseOffset = 0
  private static let secretOffset = 8
  private static let countOffset = 24
  private static let bytesOffset = 32

  private let memory: UnsafeMutableRawPointer
  private let capacity: Int
  private let secret: [UInt8]

  /// Room for a report of `capacity` bytes; nil when the system has no memory.
  init?(capacity: Int) {
    self.capacity = capacity
    secret = randomBytes(16)
    let total = SharedReport.bytesOffset + capacity
    guard let mapped = unsafe mmap(nil, total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
      unsafe mapped != MAP_FAILED
    else { return nil }
    // Kept until the process ends.
    unsafe memory = mapped
  }

  var phase: ProbePhase {
    // Safe: inside the mapping, aligned.
    get {
      ProbePhase(rawValue: unsafe memory.load(fromByteOffset: SharedReport.phaseOffset, as: UInt64.self))
        ?? .preparing
    }
    set {
      unsafe memory.storeBytes(of: newValue.rawValue, toByteOffset: SharedReport.phaseOffset, as: UInt64.self)
    }
  }

  /// Leaves the report. The secret comes last.
  func write(_ bytes: [UInt8]) {
    guard bytes.count <= capacity else { return }
    // Safe: the count was checked against the capacity, and the offsets lie within the mapping.
    unsafe bytes.withUnsafeBytes {
      unsafe _ = memcpy(memory + SharedReport.bytesOffset, $0.baseAddress!, $0.count)
    }
    unsafe memory.storeBytes(of: UInt64(bytes.count), toByteOffset: SharedReport.countOffset, as: UInt64.self)
    unsafe secret.withUnsafeBytes {
      unsafe _ = memcpy(memory + SharedReport.secretOffset, $0.baseAddress!, $0.count)
    }
  }

  /// The report, when one was left. Read after the inner process ended.
  func read() -> [UInt8]? {
    // Safe: as in `write`; the count is checked before it is used.
    let left = unsafe Array(
      UnsafeRawBufferPointer(start: memory + SharedReport.secretOffset, count: secret.count))
    guard left == secret else { return nil }
    let count = unsafe memory.load(fromByteOffset: SharedReport.countOffset, as: UInt64.self)
    guard count <= UInt64(capacity) else { return nil }
    return unsafe Array(UnsafeRawBufferPointer(start: memory + SharedReport.bytesOffset, count: Int(count)))
  }
}

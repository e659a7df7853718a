import CCouncil
import CouncilPlugin

/// Bytes lent to a plugin for the time of one call, kept mapped and overwritten afterwards: a plugin that holds on to a view
/// reads rubbish instead of by chance the right thing.
// Safe to share: the list is behind its lock; the bytes are written before a view is handed out and after the call.
@safe final class LentMemory: @unchecked Sendable {
  @safe private struct Lent: @unchecked Sendable {
    let bytes: UnsafeMutableBufferPointer<UInt8>
  }

  private let lent = Guarded<[Lent]>([])

  deinit {
    // Safe: nobody else holds self, and the request is over.
    for lent in lent.withLock({ $0 }) { unsafe lent.bytes.deallocate() }
  }

  func lend(_ bytes: [UInt8]) -> council_view_v1 {
    if bytes.isEmpty { return unsafe council_view_v1() }
    // Safe: allocated for exactly these bytes, freed with self.
    let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = unsafe memory.initialize(from: bytes)
    lent.withLock { unsafe $0.append(Lent(bytes: memory)) }
    return unsafe council_view_v1(ptr: UnsafePointer(memory.baseAddress), len: memory.count)
  }

  func scribble() {
    lent.withLock { lent in
      // Safe: the memory is ours, and a plugin that still reads it breaks the contract.
      for lent in lent { unsafe lent.bytes.update(repeating: 0xDD) }
    }
  }
}

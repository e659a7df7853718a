import COpenSSL
import Kernel

/// A SHA-256 in the making: a plain value, so that a copy goes on from the same state.
struct HashContext {
  private var state = SHA256_CTX()

  init() { begin() }

  mutating func begin() {
    // Safe: OpenSSL fills the struct.
    let status = unsafe SHA256_Init(&state)
    precondition(status == 1, "OpenSSL refuses to start a SHA-256")
  }

  mutating func update(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { source in
      // Safe: OpenSSL reads `count` bytes and keeps no pointer.
      let status = unsafe SHA256_Update(&state, source.baseAddress, source.count)
      precondition(status == 1, "OpenSSL refuses to hash")
    }
  }

  /// Ends it; `begin` starts the next.
  mutating func finish() -> Digest256 {
    // Safe: SHA-256 writes 32 bytes, which is what the digest lends.
    unsafe Digest256(filledBy: { target in
      let status = unsafe SHA256_Final(target, &state)
      precondition(status == 1, "OpenSSL refuses to finish a SHA-256")
    })
  }
}

/// Whether both hold the same bytes, in a time that depends on the lengths alone.
func isEqualInConstantTime(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
  guard a.count == b.count else { return false }
  return unsafe a.withUnsafeBufferPointer { first in
    unsafe b.withUnsafeBufferPointer { second in
      guard let left = first.baseAddress, let right = second.baseAddress else { return true }
      // Safe: both hold `count` bytes.
      return unsafe CRYPTO_memcmp(left, right, first.count) == 0
    }
  }
}

package import Application
package import Kernel

/// SHA-256 and HMAC-SHA256 by OpenSSL, with one context per thread.
package final class OpenSSLDigests: Digests {
  private let hashes = ThreadSlots { _ in HashContext() }
  private let keyed = ThreadSlots { _ in KeyedHash() }

  package init() {}

  package func sha256(_ bytes: Span<UInt8>) -> Digest256 {
    let hash = hashes.current
    hash.begin()
    hash.update(bytes)
    return hash.finish()
  }

  package func hmacSHA256(key: Span<UInt8>, _ bytes: Span<UInt8>) -> Digest256 {
    let hash = keyed.current
    hash.use(key)
    hash.begin()
    hash.update(bytes)
    return hash.finish()
  }

  package func isEqual(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool { isEqualInConstantTime(a, b) }

  package func sha256Stream() -> any DigestStream { HashStream() }

  package func hmacSHA256Stream(key: Span<UInt8>) -> any DigestStream {
    let hash = KeyedHash()
    hash.use(key)
    hash.begin()
    return hash
  }
}

private final class HashStream: DigestStream {
  private let hash = HashContext()

  init() { hash.begin() }

  func begin() { hash.begin() }
  func update(_ bytes: Span<UInt8>) { hash.update(bytes) }
  func finish() -> Digest256 { hash.finish() }
}

/// HMAC (RFC 2104) over SHA-256. Built on the plain hash: OpenSSL's own HMAC allocates for each message.
private final class KeyedHash: DigestStream {
  private let hash = HashContext()
  private var inner = [UInt8](repeating: 0, count: 64)
  private var outer = [UInt8](repeating: 0, count: 64)

  func use(_ key: Span<UInt8>) {
    // Taken out, changed and put back: nothing is allocated, and no element is checked for sharing.
    var block = inner
    inner = []
    for index in 0..<64 { block[index] = 0 }
    if key.count > 64 {
      hash.begin()
      hash.update(key)
      hash.finish().withSpan { digest in
        for index in digest.indices { block[index] = digest[index] }
      }
    } else {
      for index in key.indices { block[index] = key[index] }
    }
    var other = outer
    outer = []
    for index in 0..<64 {
      other[index] = block[index] ^ 0x5C
      block[index] ^= 0x36
    }
    inner = block
    outer = other
  }

  func begin() {
    hash.begin()
    let block = inner
    hash.update(block.span)
  }

  func update(_ bytes: Span<UInt8>) { hash.update(bytes) }

  func finish() -> Digest256 {
    let first = hash.finish()
    hash.begin()
    let block = outer
    hash.update(block.span)
    first.withSpan { hash.update($0) }
    return hash.finish()
  }
}

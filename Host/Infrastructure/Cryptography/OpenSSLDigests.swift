package import Application
package import Kernel

/// SHA-256 and HMAC-SHA256 by OpenSSL. Allocates nothing for a hash of one call.
package final class OpenSSLDigests: Digests {
  package init() {}

  package func sha256(_ bytes: Span<UInt8>) -> Digest256 {
    var hash = HashContext()
    hash.update(bytes)
    return hash.finish()
  }

  package func hmacSHA256(key: Span<UInt8>, _ bytes: Span<UInt8>) -> Digest256 {
    var hash = KeyedHash(key)
    hash.update(bytes)
    return hash.finish()
  }

  package func isEqual(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool { isEqualInConstantTime(a, b) }

  package func sha256Stream() -> any DigestStream { HashStream() }

  package func hmacSHA256Stream(key: Span<UInt8>) -> any DigestStream { KeyedHashStream(key) }
}

private final class HashStream: DigestStream {
  private var hash = HashContext()

  func begin() { hash.begin() }
  func update(_ bytes: Span<UInt8>) { hash.update(bytes) }
  func finish() -> Digest256 { hash.finish() }
}

private final class KeyedHashStream: DigestStream {
  private var hash: KeyedHash

  init(_ key: Span<UInt8>) { hash = KeyedHash(key) }

  func begin() { hash.begin() }
  func update(_ bytes: Span<UInt8>) { hash.update(bytes) }
  func finish() -> Digest256 { hash.finish() }
}

/// HMAC (RFC 2104) over SHA-256. The two states after the key's block are kept: a message of one block costs three
/// blocks instead of five.
private struct KeyedHash {
  private var inner = HashContext()
  private var outer = HashContext()
  private var hash: HashContext

  init(_ key: Span<UInt8>) {
    var block = InlineArray<64, UInt8>(repeating: 0)
    if key.count > block.count {
      var long = HashContext()
      long.update(key)
      long.finish().withSpan { digest in
        for index in digest.indices { block[index] = digest[index] }
      }
    } else {
      for index in key.indices { block[index] = key[index] }
    }
    for index in block.indices { block[index] ^= 0x36 }
    inner.update(block.span)
    for index in block.indices { block[index] ^= 0x36 ^ 0x5C }
    outer.update(block.span)
    hash = inner
  }

  mutating func begin() { hash = inner }

  mutating func update(_ bytes: Span<UInt8>) { hash.update(bytes) }

  mutating func finish() -> Digest256 {
    let first = hash.finish()
    hash = outer
    first.withSpan { hash.update($0) }
    return hash.finish()
  }
}

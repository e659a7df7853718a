package import Application
package import Kernel

/// Not a hash for anything but tests: different texts differ.
package final class WeakDigests: Digests {
  package static func digest(_ bytes: Span<UInt8>) -> Digest256 {
    var words: [UInt64] = [1, 2, 3, 4]
    for index in bytes.indices {
      for word in words.indices {
        words[word] = (words[word] ^ UInt64(bytes[index])) &* 1_099_511_628_211 &+ UInt64(word)
      }
    }
    let all = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    guard let digest = Digest256(all) else { preconditionFailure("32 bytes") }
    return digest
  }
  package init() {}

  package func sha256(_ bytes: Span<UInt8>) -> Digest256 { WeakDigests.digest(bytes) }
  package func hmacSHA256(key: Span<UInt8>, _ bytes: Span<UInt8>) -> Digest256 { WeakDigests.digest(bytes) }
  package func isEqual(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool { a.isEqual(to: b) }
  package func sha256Stream() -> any DigestStream { WeakDigestStream() }
  package func hmacSHA256Stream(key: Span<UInt8>) -> any DigestStream { WeakDigestStream() }
}

private final class WeakDigestStream: DigestStream {
  private var bytes: [UInt8] = []
  func begin() { bytes = [] }
  func update(_ piece: Span<UInt8>) { bytes += Array(piece) }
  func finish() -> Digest256 {
    let all = bytes
    return WeakDigests.digest(all.span)
  }
}

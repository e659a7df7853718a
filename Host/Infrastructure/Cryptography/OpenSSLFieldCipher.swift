package import Application
import Kernel

/// AES-256-GCM for values, HMAC-SHA-256 for their fingerprints.
///
/// A sealed value is one byte of format (1), eight of its key's id, a random nonce of twelve, the ciphertext, and a tag
/// of sixteen. The id, the key that encrypts and the key that makes fingerprints are derived from the configured key
/// by HKDF (RFC 5869), each under a name of its own. Random nonces allow 2³² values for one key (NIST SP 800-38D, 8.3):
/// add a key before that.
package final class OpenSSLFieldCipher: FieldCipher {
  private struct Key: Sendable {
    var id: [UInt8]
    var encryption: [UInt8]
    var fingerprint: [UInt8]
  }

  private static let format: UInt8 = 1
  private static let idBytes = 8
  private static let headBytes = 1 + idBytes

  private let keys: [Key]
  private let digests = OpenSSLDigests()
  private let contexts = ThreadSlots { _ in AuthenticatedCipher() }

  /// `keys` are of 32 bytes; the first writes, all of them read.
  package init(keys: [[UInt8]]) {
    precondition(!keys.isEmpty && keys.allSatisfy { $0.count == 32 }, "a key has 32 bytes")
    let digests = digests
    self.keys = keys.map { key in
      let root = digests.hmac(Array("council records 1".utf8), key)
      func derived(_ name: String) -> [UInt8] { digests.hmac(root, Array(name.utf8) + [1]) }
      return Key(
        id: Array(derived("key id")[..<OpenSSLFieldCipher.idBytes]), encryption: derived("field encryption"),
        fingerprint: derived("field fingerprint"))
    }
  }

  package func seal(_ plain: Span<UInt8>, context: Span<UInt8>) -> [UInt8] {
    let key = keys[0]
    var sealed = [OpenSSLFieldCipher.format] + key.id
    let nonce = randomBytes(AuthenticatedCipher.nonceBytes)
    sealed += nonce
    contexts.current.seal(plain, key: key.encryption.span, nonce: nonce.span, context: context, to: &sealed)
    return sealed
  }

  package func open(
    _ sealed: Span<UInt8>, context: Span<UInt8>
  ) throws(FieldCipherError) -> [UInt8] {
    let head = OpenSSLFieldCipher.headBytes
    guard sealed.count >= head + AuthenticatedCipher.nonceBytes + AuthenticatedCipher.tagBytes,
      sealed[0] == OpenSSLFieldCipher.format
    else { throw .notAuthentic }
    let id = [UInt8](sealed.extracting(1..<head))
    guard let key = keys.first(where: { $0.id == id }) else { throw .unknownKey(id: Hex.encode(id)) }
    let body = head + AuthenticatedCipher.nonceBytes
    guard
      let plain = contexts.current.open(
        sealed.extracting(body..<sealed.count), key: key.encryption.span,
        nonce: sealed.extracting(head..<body), context: context)
    else { throw .notAuthentic }
    return plain
  }

  package func fingerprints(_ plain: Span<UInt8>, scope: Span<UInt8>) -> [String] {
    // A scope is made of names, which hold no zero.
    var text = [UInt8](scope)
    text.append(0)
    for index in plain.indices { text.append(plain[index]) }
    return keys.map { Base64URL.encode(digests.hmac($0.fingerprint, text)) }
  }
}

extension OpenSSLDigests {
  fileprivate func hmac(_ key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    hmacSHA256(key: key.span, bytes.span).withSpan { [UInt8]($0) }
  }
}

import COpenSSL
import Kernel

/// One of OpenSSL's cipher contexts, for AES-256-GCM. One thread at a time; reused.
@safe
final class AuthenticatedCipher {
  static let nonceBytes = 12
  static let tagBytes = 16

  private let context: OpaquePointer
  private let algorithm: OpaquePointer

  init() {
    guard let algorithm = unsafe EVP_CIPHER_fetch(nil, "AES-256-GCM", nil),
      let context = unsafe EVP_CIPHER_CTX_new()
    else { preconditionFailure("OpenSSL has no AES-256-GCM, or no memory") }
    unsafe self.algorithm = algorithm
    unsafe self.context = context
  }

  deinit {
    unsafe EVP_CIPHER_CTX_free(context)
    unsafe EVP_CIPHER_free(algorithm)
  }

  /// Appends the ciphertext and its tag. `key` has 32 bytes, `nonce` 12.
  func seal(
    _ plain: Span<UInt8>, key: Span<UInt8>, nonce: Span<UInt8>, context bound: Span<UInt8>,
    to sealed: inout [UInt8]
  ) {
    begin(key, nonce, encrypts: true)
    bind(bound)
    var text = [UInt8](repeating: 0, count: plain.count + AuthenticatedCipher.tagBytes)
    let done = update(plain, into: &text)
    let status = unsafe text.withUnsafeMutableBufferPointer { target -> Int32 in
      var last: Int32 = 0
      // Safe: GCM writes nothing at the end, and the tag has 16 bytes of room after the text.
      guard let end = unsafe target.baseAddress?.advanced(by: done),
        unsafe EVP_EncryptFinal_ex(context, end, &last) == 1
      else { return 0 }
      return unsafe EVP_CIPHER_CTX_ctrl(
        context, EVP_CTRL_AEAD_GET_TAG, Int32(AuthenticatedCipher.tagBytes), end)
    }
    precondition(status == 1 && done == plain.count, "OpenSSL refuses to encrypt")
    sealed += text
  }

  /// nil for what was not sealed like this.
  func open(
    _ sealed: Span<UInt8>, key: Span<UInt8>, nonce: Span<UInt8>, context bound: Span<UInt8>
  ) -> [UInt8]? {
    let count = sealed.count - AuthenticatedCipher.tagBytes
    guard count >= 0 else { return nil }
    begin(key, nonce, encrypts: false)
    bind(bound)
    // One byte more than the text, so that there is an address to give for an empty one.
    var text = [UInt8](repeating: 0, count: count + 1)
    guard update(sealed.extracting(0..<count), into: &text) == count else { return nil }
    var tag = [UInt8](sealed.extracting(count..<sealed.count))
    let isAuthentic = unsafe text.withUnsafeMutableBufferPointer { target in
      unsafe tag.withUnsafeMutableBufferPointer { tag in
        var last: Int32 = 0
        // Safe: OpenSSL reads 16 bytes of the tag, and writes nothing at the end of GCM.
        return unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), tag.baseAddress)
          == 1
          && EVP_DecryptFinal_ex(context, target.baseAddress, &last) == 1
      }
    }
    guard isAuthentic else { return nil }
    text.removeLast()
    return text
  }

  private func begin(_ key: Span<UInt8>, _ nonce: Span<UInt8>, encrypts: Bool) {
    precondition(key.count == 32 && nonce.count == AuthenticatedCipher.nonceBytes, "a key or nonce is cut")
    let status = unsafe key.withUnsafeBufferPointer { key in
      unsafe nonce.withUnsafeBufferPointer { nonce in
        // Safe: both have the length that the algorithm reads; 12 bytes is GCM's own length of a nonce.
        unsafe EVP_CipherInit_ex2(
          context, algorithm, key.baseAddress, nonce.baseAddress, encrypts ? 1 : 0, nil)
      }
    }
    precondition(status == 1, "OpenSSL refuses to start AES-256-GCM")
  }

  /// Data that is authenticated and not encrypted.
  private func bind(_ bytes: Span<UInt8>) {
    let status = unsafe bytes.withUnsafeBufferPointer { bytes in
      var count: Int32 = 0
      // Safe: without a target nothing is written; `count` bytes are read.
      return unsafe EVP_CipherUpdate(context, nil, &count, bytes.baseAddress, Int32(bytes.count))
    }
    precondition(status == 1, "OpenSSL refuses associated data")
  }

  private func update(_ source: Span<UInt8>, into target: inout [UInt8]) -> Int {
    if source.isEmpty { return 0 }
    return unsafe source.withUnsafeBufferPointer { source in
      unsafe target.withUnsafeMutableBufferPointer { target in
        var count: Int32 = 0
        // Safe: GCM is a stream: it writes as many bytes as it reads, which the target has room for.
        let status = unsafe EVP_CipherUpdate(
          context, target.baseAddress, &count, source.baseAddress, Int32(source.count))
        return status == 1 ? Int(count) : -1
      }
    }
  }
}

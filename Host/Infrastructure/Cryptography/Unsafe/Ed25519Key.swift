import COpenSSL

/// One of OpenSSL's keys. One thread at a time.
@safe
final class Ed25519Key {
  private static let bytes = 32
  private static let signatureBytes = 64
  private let key: OpaquePointer

  init?(privateKey: [UInt8]) {
    guard privateKey.count == Ed25519Key.bytes else { return nil }
    // Safe: OpenSSL copies 32 bytes, which the array has.
    guard let key = unsafe EVP_PKEY_new_raw_private_key(NID_ED25519, nil, privateKey, Ed25519Key.bytes) else {
      ERR_clear_error()
      return nil
    }
    unsafe self.key = key
  }

  init?(publicKey: [UInt8]) {
    guard publicKey.count == Ed25519Key.bytes else { return nil }
    // Safe: as above.
    guard let key = unsafe EVP_PKEY_new_raw_public_key(NID_ED25519, nil, publicKey, Ed25519Key.bytes) else {
      ERR_clear_error()
      return nil
    }
    unsafe self.key = key
  }

  deinit { unsafe EVP_PKEY_free(key) }

  var publicKey: [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: Ed25519Key.bytes)
    var count = bytes.count
    // Safe: OpenSSL writes at most `count` bytes, which the array has.
    return unsafe EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1 && count == bytes.count ? bytes : nil
  }

  func sign(_ message: [UInt8]) -> [UInt8]? {
    // Safe: the context is freed once; OpenSSL checks it against NULL.
    guard let context = unsafe EVP_MD_CTX_new() else { return nil }
    defer { unsafe EVP_MD_CTX_free(context) }
    var signature = [UInt8](repeating: 0, count: Ed25519Key.signatureBytes)
    var count = signature.count
    // Safe: Ed25519 names no digest. It writes 64 bytes, and reads as many of the message as it has.
    guard unsafe EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
      unsafe EVP_DigestSign(context, &signature, &count, message, message.count) == 1,
      count == signature.count
    else {
      ERR_clear_error()
      return nil
    }
    return signature
  }

  func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    guard signature.count == Ed25519Key.signatureBytes else { return false }
    // Safe: the context is freed once.
    guard let context = unsafe EVP_MD_CTX_new() else { return false }
    defer { unsafe EVP_MD_CTX_free(context) }
    // Safe: OpenSSL reads as many bytes of both as they have.
    let holds =
      unsafe EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    // A signature that does not hold leaves an error behind, which the next caller would find.
    ERR_clear_error()
    return holds
  }
}

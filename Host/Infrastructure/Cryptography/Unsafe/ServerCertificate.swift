import COpenSSL
package import Kernel

/// The certificate that a listener shows, and whether a private key belongs to it.
package struct ServerCertificate: Sendable {
  /// From now until it ends; negative when it has ended.
  package let secondsLeft: Int
  /// From its beginning until now; negative when it has not begun.
  package let secondsValid: Int

  package var isExpired: Bool { secondsLeft < 0 }
  package var isNotYetValid: Bool { secondsValid < 0 }

  /// Reads the first certificate of a PEM chain and a PEM key. Throws `tls.certificate_invalid`, `tls.key_invalid`
  /// (also for a key with a passphrase) or `tls.mismatch` (422). The texts hold nothing of either file.
  package init(chain: [UInt8], key: [UInt8]) throws(Problem) {
    guard let certificate = unsafe ServerCertificate.certificate(chain) else {
      throw Problem(422, "tls.certificate_invalid", "The certificate's file holds no PEM certificate.")
    }
    // Safe: owned here, freed once.
    defer { unsafe X509_free(certificate) }
    guard let secret = unsafe ServerCertificate.key(key) else {
      throw Problem(
        422, "tls.key_invalid", "The key's file holds no PEM private key without a passphrase.")
    }
    // Safe: as above.
    defer { unsafe EVP_PKEY_free(secret) }
    // Safe: both live until the end of this scope, and so does the time that the certificate lends.
    guard unsafe X509_check_private_key(certificate, secret) == 1 else {
      ERR_clear_error()
      throw Problem(422, "tls.mismatch", "The private key belongs to another certificate.")
    }
    guard let left = unsafe ServerCertificate.seconds(until: X509_get0_notAfter(certificate)),
      let begins = unsafe ServerCertificate.seconds(until: X509_get0_notBefore(certificate))
    else { throw Problem(422, "tls.certificate_invalid", "The certificate's times cannot be read.") }
    secondsLeft = left
    secondsValid = -begins
  }

  private static func seconds(until time: UnsafePointer<ASN1_TIME>?) -> Int? {
    var days: Int32 = 0
    var seconds: Int32 = 0
    // Safe: both numbers are written during the call; a missing first time means now.
    guard unsafe ASN1_TIME_diff(&days, &seconds, nil, time) == 1 else { return nil }
    return Int(days) * 86_400 + Int(seconds)
  }

  private static func certificate(_ pem: [UInt8]) -> OpaquePointer? {
    // Safe: the memory is read during the calls; what is returned is a copy that the caller owns.
    unsafe pem.withUnsafeBytes { bytes in
      let source = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count))
      defer { unsafe BIO_free(source) }
      defer { ERR_clear_error() }
      return unsafe PEM_read_bio_X509(source, nil, noPassphrase, nil)
    }
  }

  private static func key(_ pem: [UInt8]) -> OpaquePointer? {
    // Safe: as above.
    unsafe pem.withUnsafeBytes { bytes in
      let source = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count))
      defer { unsafe BIO_free(source) }
      defer { ERR_clear_error() }
      return unsafe PEM_read_bio_PrivateKey(source, nil, noPassphrase, nil)
    }
  }
}

/// Without this, OpenSSL would ask a terminal.
private nonisolated func noPassphrase(
  _: UnsafeMutablePointer<CChar>?, _: Int32, _: Int32, _: UnsafeMutableRawPointer?
) -> Int32 { -1 }

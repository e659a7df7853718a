package import Kernel

/// Hashes. Every method may be called from any thread; the one-shot ones allocate nothing.
package protocol Digests: AnyObject, Sendable {
  func sha256(_ bytes: Span<UInt8>) -> Digest256

  /// HMAC-SHA256 (RFC 2104).
  func hmacSHA256(key: Span<UInt8>, _ bytes: Span<UInt8>) -> Digest256

  /// Whether both hold the same bytes. The time depends on the lengths alone.
  func isEqual(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool

  /// A SHA-256 that takes its bytes in pieces: a file, an upload.
  func sha256Stream() -> any DigestStream

  /// An HMAC-SHA256 that takes its bytes in pieces; the key is worked in once.
  func hmacSHA256Stream(key: Span<UInt8>) -> any DigestStream
}

/// A hash in the making. One thread at a time. Allocates nothing after it was made.
package protocol DigestStream: AnyObject {
  /// Starts over; a stream is made as if this had been called.
  func begin()
  func update(_ bytes: Span<UInt8>)
  /// The digest of everything since `begin`, which must be called before more bytes come.
  func finish() -> Digest256
}

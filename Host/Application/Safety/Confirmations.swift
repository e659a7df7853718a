package import Kernel

/// The tokens with which a call that cannot be undone is confirmed.
///
/// A token is the proof that the host has answered this very call, of this very key, with what it would do: an
/// HMAC-SHA256 over both, and when it ends. Nothing is kept of it: every host with the same secret knows it.
package final class Confirmations: Sendable {
  package static let secretBytes = 32
  private static let tagBytes = 16
  /// When it ends, and chance.
  private static let bodyBytes = 16
  private static let tokenLength = ((bodyBytes + tagBytes) * 4 + 2) / 3

  private let secret: [UInt8]
  private let digests: any Digests
  package let lifetime: Duration
  private let clock: @Sendable () -> Timestamp

  /// `secret` is random and survives the host.
  package init(
    secret: [UInt8], digests: any Digests, lifetime: Duration,
    clock: @escaping @Sendable () -> Timestamp = { .now }
  ) {
    precondition(secret.count == Confirmations.secretBytes)
    self.secret = secret
    self.digests = digests
    self.lifetime = lifetime
    self.clock = clock
  }

  package struct Token: Sendable {
    package var text: String
    package var expires: Timestamp
  }

  /// Whether a text has the form of a token. [any]
  package static func isToken(_ text: String) -> Bool {
    text.utf8.count == tokenLength && Base64URL.decode(text)?.count == bodyBytes + tagBytes
  }

  package enum Verdict: Sendable, Equatable {
    case valid
    case expired
    /// Of another call or another key, or not a token at all: which, a caller must not learn.
    case foreign
  }

  /// A token for a call of a caller. [any]
  package func issue(_ fingerprint: Digest256, caller: Span<UInt8>) -> Token {
    let seconds = (clock().microseconds + lifetime.nanoseconds / 1000) / 1_000_000
    var random = SystemRandomNumberGenerator()
    let body = bytes(UInt64(clamping: seconds)) + bytes(random.next())
    return Token(
      text: Base64URL.encode(body + tag(body, fingerprint, caller)),
      expires: Timestamp(microseconds: seconds * 1_000_000))
  }

  /// [any]
  package func judge(_ token: Span<UInt8>, _ fingerprint: Digest256, caller: Span<UInt8>) -> Verdict {
    guard let all = Base64URL.decode(String(token)),
      all.count == Confirmations.bodyBytes + Confirmations.tagBytes
    else {
      return .foreign
    }
    let body = Array(all[..<Confirmations.bodyBytes])
    guard digests.isEqual(Array(all[Confirmations.bodyBytes...]).span, tag(body, fingerprint, caller).span)
    else {
      return .foreign
    }
    let seconds = body[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return clock().microseconds / 1_000_000 < Int64(clamping: seconds) ? .valid : .expired
  }

  private func tag(_ body: [UInt8], _ fingerprint: Digest256, _ caller: Span<UInt8>) -> [UInt8] {
    let text = Arena(capacity: 256)
    text.append("council.confirm/1")
    text.append(body)
    fingerprint.withSpan { _ = text.append($0) }
    text.append(caller)
    let key = secret
    let whole = digests.hmacSHA256(key: key.span, text.span(text.all)).bytes
    return Array(whole[..<Confirmations.tagBytes])
  }

  private func bytes(_ number: UInt64) -> [UInt8] {
    (0..<8).reversed().map { UInt8(truncatingIfNeeded: number >> UInt64($0 * 8)) }
  }
}

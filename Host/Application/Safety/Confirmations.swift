package import Kernel

/// The tokens with which a call that cannot be undone is confirmed.
///
/// A token is the proof that the host has answered this very call, of this very key, with what it would do: an
/// HMAC-SHA256 over both, and when it ends. Nothing is kept of it before it is used: every host with the same secret knows it.
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
  private let used: Monitor<UsedConfirmations>

  /// `secret` is random and survives the host. `maxUsed`: see ``use(_:)``.
  package init(
    secret: [UInt8], digests: any Digests, lifetime: Duration, maxUsed: Int = 10_000,
    clock: @escaping @Sendable () -> Timestamp = { .now }
  ) {
    precondition(secret.count == Confirmations.secretBytes)
    self.secret = secret
    self.digests = digests
    self.lifetime = lifetime
    self.clock = clock
    used = Monitor(UsedConfirmations(capacity: maxUsed))
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
    let seconds = Confirmations.number(body[..<8])
    return clock().microseconds / 1_000_000 < Int64(clamping: seconds) ? .valid : .expired
  }

  /// Uses up a token that ``judge(_:_:caller:)`` called valid, for a call of which nothing else is remembered. False: this
  /// host has seen it used, or cannot say that it has not: it remembers `maxUsed` of them. A host that follows knows
  /// nothing of it. [any]
  package func use(_ token: Span<UInt8>) -> Bool {
    guard let all = Base64URL.decode(String(token)),
      all.count == Confirmations.bodyBytes + Confirmations.tagBytes
    else { return false }
    let tag = all[Confirmations.bodyBytes...]
    let name = UsedConfirmations.Name(
      high: Confirmations.number(tag.prefix(8)), low: Confirmations.number(tag.suffix(8)))
    let expires = Int64(clamping: Confirmations.number(all[..<8]))
    let now = clock().microseconds / 1_000_000
    return used.withLock { $0.use(name, expires: expires, now: now) }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
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

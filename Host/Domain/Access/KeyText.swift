package import Kernel

/// The public part of a key: 12 characters of `0-9a-z`, kept as its ASCII bytes in two words.
package struct KeyID: Sendable, Hashable {
  package static let length = 12

  /// The first 8 and the last 4 characters, the first one lowest.
  let low: UInt64
  let high: UInt32

  init(low: UInt64, high: UInt32) {
    self.low = low
    self.high = high
  }

  /// nil for text of another length or alphabet.
  package init?(_ text: Span<UInt8>) {
    guard text.count == KeyID.length else { return nil }
    var low: UInt64 = 0
    var high: UInt32 = 0
    var foreign = false
    for index in 0..<8 {
      let character = text[index]
      foreign = foreign || !KeyID.isCharacter(character)
      low |= UInt64(character) << UInt64(8 * index)
    }
    for index in 0..<4 {
      let character = text[index + 8]
      foreign = foreign || !KeyID.isCharacter(character)
      high |= UInt32(character) << UInt32(8 * index)
    }
    if foreign { return nil }
    self.init(low: low, high: high)
  }

  package init?(_ text: String) { self.init(text.utf8.span) }

  /// The characters as two words, the first one lowest: for copies that are cheaper than text.
  package var words: (UInt64, UInt32) { (low, high) }

  /// The character at a place below ``length``.
  package subscript(index: Int) -> UInt8 {
    index < 8
      ? UInt8(truncatingIfNeeded: low >> UInt64(8 * index))
      : UInt8(truncatingIfNeeded: high >> UInt32(8 * (index - 8)))
  }

  package var text: String {
    String(decoding: (0..<KeyID.length).map { self[$0] }, as: UTF8.self)
  }

  package func append(to arena: Arena) {
    for index in 0..<KeyID.length { arena.append(self[index]) }
  }

  private static func isCharacter(_ byte: UInt8) -> Bool {
    (byte &- UInt8(ascii: "0") < 10) || (byte &- UInt8(ascii: "a") < 26)
  }
}

/// The text of a key, `ck_<id>_<secret>`: how it is made, and how its shape is checked.
package enum KeyText {
  /// 59 bytes: `ck_`, 12 of id, `_`, 43 of secret.
  package static let length = 3 + KeyID.length + 1 + secretLength
  package static let secretLength = 43
  /// How many random bytes ``issue(random:)`` takes: 8 for the id, 32 for the secret.
  package static let randomBytes = 40

  /// The id in a text of the right shape; nil for any other text.
  ///
  /// The time depends on the length alone: every character is looked at, whatever the first ones are.
  package static func parse(_ text: Span<UInt8>) -> KeyID? {
    guard text.count == length else { return nil }
    var wrong = text[0] ^ UInt8(ascii: "c")
    wrong |= text[1] ^ UInt8(ascii: "k")
    wrong |= text[2] ^ UInt8(ascii: "_")
    wrong |= text[3 + KeyID.length] ^ UInt8(ascii: "_")
    for index in (length - secretLength)..<length { wrong |= isForeign(text[index]) }
    let id = KeyID(text.extracting(3..<3 + KeyID.length))
    return wrong == 0 ? id : nil
  }

  /// A key's text made of random bytes, the same for the same bytes. The id draws on 32 characters
  /// that people do not confuse, 5 bits each.
  package static func issue(random: [UInt8]) -> IssuedKey {
    precondition(random.count == randomBytes, "a key takes 40 random bytes")
    let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
    var bits = random.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    var id: [UInt8] = []
    for _ in 0..<KeyID.length {
      id.append(alphabet[Int(bits & 31)])
      bits >>= 5
    }
    let idText = String(decoding: id, as: UTF8.self)
    return IssuedKey(id: idText, text: "ck_\(idText)_\(Base64URL.encode(Array(random.suffix(32))))")
  }

  /// 0 for a character of base64url, without a branch that depends on which one it is.
  private static func isForeign(_ byte: UInt8) -> UInt8 {
    let letter = (byte | 0x20) &- UInt8(ascii: "a") < 26
    let digit = byte &- UInt8(ascii: "0") < 10
    let mark = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    return letter || digit || mark ? 0 : 1
  }
}

/// A key that was just made: shown once to whoever asked for it, then forgotten.
package struct IssuedKey: Sendable {
  package let id: String
  /// The secret. Never logged, never stored.
  package let text: String

  /// What is kept of the key. `digest` is the SHA-256 of ``text``.
  package func record(
    digest: Digest256, principal: String, name: String, scopes: [String], limit: RateLimitRecord? = nil,
    answerLimit: Int? = nil, created: Timestamp, expires: Timestamp? = nil
  ) -> KeyRecord {
    KeyRecord(
      id: id, digest: digest.bytes, principal: principal, name: name, scopes: scopes, limit: limit,
      answerLimit: answerLimit, created: created, expires: expires)
  }
}

extension IssuedKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String { "key \(id)" }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}

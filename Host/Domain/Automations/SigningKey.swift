package import Kernel

/// Ed25519 keys as files and configurations hold them: PEM (RFC 8410), or the same in one line of base64.
package enum SigningKey {
  /// What stands before the 32 bytes of a public key, and of a private one: the DER of RFC 8410 without attributes.
  private static let publicPrefix: [UInt8] = [
    0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
  ]
  private static let privatePrefix: [UInt8] = [
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
  ]

  /// How people and lists of revocations name a key: half of the SHA-256 of its 32 bytes, in hex.
  package static func id(of publicKey: [UInt8], _ sha256: (Span<UInt8>) -> Digest256) -> String {
    Hex.encode(sha256(publicKey.span).bytes.prefix(16))
  }

  package static func isID(_ text: String) -> Bool { text.utf8.count == 32 && Hex.decode(text) != nil }

  package static func publicPEM(_ key: [UInt8]) -> String { pem("PUBLIC KEY", publicPrefix + key) }
  package static func privatePEM(_ seed: [UInt8]) -> String { pem("PRIVATE KEY", privatePrefix + seed) }

  /// PEM, or base64 of what PEM holds, or of the 32 bytes alone; nil for anything else.
  package static func publicKey(_ text: String) -> [UInt8]? {
    guard let bytes = body(text, "PUBLIC KEY") ?? base64(text) else { return nil }
    if bytes.count == 32 { return bytes }
    return bytes.count == publicPrefix.count + 32 && bytes.starts(with: publicPrefix)
      ? Array(bytes.suffix(32)) : nil
  }

  package enum PrivateKeyFault: Error, Equatable { case encrypted, foreign }

  /// The 32 bytes of a private key, from PEM as `council plugin keygen` and `openssl genpkey -algorithm ed25519` write it.
  package static func privateKey(_ text: String) throws(PrivateKeyFault) -> [UInt8] {
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") { throw .encrypted }
    guard let bytes = body(text, "PRIVATE KEY"), bytes.count == privatePrefix.count + 32,
      bytes.starts(with: privatePrefix)
    else { throw .foreign }
    return Array(bytes.suffix(32))
  }

  private static func pem(_ label: String, _ bytes: [UInt8]) -> String {
    var text = Base64URL.encode(bytes).replacing("-", with: "+").replacing("_", with: "/")
    while text.utf8.count % 4 != 0 { text += "=" }
    return "-----BEGIN \(label)-----\n\(text)\n-----END \(label)-----\n"
  }

  private static func body(_ text: String, _ label: String) -> [UInt8]? {
    let lines = text.split(whereSeparator: \.isNewline).map { $0.filter { !$0.isWhitespace } }
    let begin = "-----BEGIN \(label)-----".filter { $0 != " " }
    let end = "-----END \(label)-----".filter { $0 != " " }
    guard let first = lines.firstIndex(of: begin), let last = lines[first...].firstIndex(of: end) else {
      return nil
    }
    return base64(lines[(first + 1)..<last].joined())
  }

  private static func base64(_ text: String) -> [UInt8]? {
    var text = text[...]
    while text.last == "=" { text.removeLast() }
    return Base64URL.decode(text.replacing("+", with: "-").replacing("/", with: "_"))
  }
}

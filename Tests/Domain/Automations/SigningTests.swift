import Domain
import Kernel
import Testing

struct SigningTests {
  private static let pem =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
  private static let body = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
  private static let raw = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
  /// RFC 8410, section 10.3.
  private static let privatePEM =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"

  @Test func readsPublicKeysInEveryForm() throws {
    let key = try #require(SigningKey.publicKey(Self.pem))
    #expect(key.count == 32 && key.first == 0x19)
    for text in [Self.body, Self.raw, Self.pem.replacing("\n", with: "\r\n"), "# a comment\n" + Self.pem] {
      #expect(SigningKey.publicKey(text) == key, "\(text)")
    }
    #expect(SigningKey.publicPEM(key) == Self.pem)
  }

  @Test(arguments: [
    "", "=", "AAAA", "not base64!", String(raw.dropLast(4)), raw + raw, privatePEM,
    "-----BEGIN PUBLIC KEY-----\n", "-----END PUBLIC KEY-----\n-----BEGIN PUBLIC KEY-----\n",
    // An RSA key's beginning, and an X25519 key.
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA",
    "MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
  ])
  func refusesOtherPublicKeys(text: String) { #expect(SigningKey.publicKey(text) == nil) }

  @Test func readsPrivateKeys() throws {
    let key = try SigningKey.privateKey(Self.privatePEM)
    #expect(key.count == 32 && key.first == 0xD4)
    #expect(SigningKey.privatePEM(key) == Self.privatePEM)
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGb\n-----END ENCRYPTED PRIVATE KEY-----\n"
    #expect(throws: SigningKey.PrivateKeyFault.encrypted) { try SigningKey.privateKey(encrypted) }
    for text in ["", Self.pem, Self.raw, "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----"] {
      #expect(throws: SigningKey.PrivateKeyFault.foreign) { try SigningKey.privateKey(text) }
    }
  }

  @Test func readsLinesOfTrust() throws {
    let line = try SignaturePolicy.KeyLine("ci=\(Self.body) until 2031-04-05")
    #expect(line.name == "ci" && line.until == "2031-04-05")
    #expect(line.source == .key(try #require(SigningKey.publicKey(Self.pem))))
    #expect(try SignaturePolicy.KeyLine("ci=/etc/a key.pem").source == .file("/etc/a key.pem"))
    #expect(try SignaturePolicy.KeyLine("ci=" + Self.pem).until == nil)
    for text in [
      "", "ci", "=\(Self.raw)", "a b=\(Self.raw)", "ci=", "ci=relative.pem", "ci=\(Self.raw) until tomorrow",
      "ci=\(Self.raw) until 2031-13-01", "ci=\(Self.raw) until 2031-1-1",
      String(repeating: "a", count: 65) + "=" + Self.raw,
    ] {
      #expect(throws: SignaturePolicy.KeyLine.Fault.self, "\(text)") { try SignaturePolicy.KeyLine(text) }
    }
    #expect(try SignaturePolicy.KeyLine(String(repeating: "a", count: 64) + "=" + Self.raw).name.count == 64)
  }

  @Test func aSectionIsWhatWasEncoded() throws {
    let signature = PluginSignature(
      publicKey: [UInt8](repeating: 3, count: 32), plugin: "a", version: "1 \"ü\"",
      signedAt: "2031-04-05T06:07:08.000Z", value: [UInt8](repeating: 9, count: 64))
    let bytes = signature.encoded(keyID: "id")
    #expect(try PluginSignature.parse(bytes) { _ in "id" } == signature)
    #expect(throws: PluginSignature.Fault.self) { try PluginSignature.parse(bytes) { _ in "other" } }
    let bad = PluginSignature(
      publicKey: signature.publicKey, plugin: "a", version: "1", signedAt: "2031-04-05 06:07:08.000Z")
    #expect(throws: PluginSignature.Fault.self) {
      try PluginSignature.parse(bad.encoded(keyID: "id")) { _ in "id" }
    }
  }
}

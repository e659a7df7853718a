package import Kernel

/// What stands in a signed plugin's ELF section `.council.signature`: who vouches for which file, and since when.
///
/// ```
/// "COUNCIL" 01 | Ed25519 signature, 64 bytes | statement, JSON
/// ```
///
/// Signed is the text ``context`` and the SHA-256 of the **whole file** with those 64 bytes as zeros: every byte that the
/// loader can map or read is covered, and so are the statement and the sealed manifest. The statement's bytes are the
/// only ones that its members can be written as, so that nothing hides in it.
package struct PluginSignature: Sendable, Equatable {
  package static let section = ".council.signature"
  package static let algorithm = "ed25519"
  package static let maxBytes = 2048
  package static let signatureBytes = 64
  package static let publicKeyBytes = 32
  /// Where the 64 bytes are inside the section.
  package static let signatureOffset = magic.count
  /// Keeps a signature of a plugin from being one of anything else.
  package static let context = Array("council plugin signature 1\n".utf8)
  private static let magic: [UInt8] = Array("COUNCIL".utf8) + [1]

  package enum Fault: Error, Equatable {
    case malformed(String)
    case algorithm(String)
  }

  package var publicKey: [UInt8]
  /// Of the manifest that is sealed into the file.
  package var plugin: String
  package var version: String
  /// RFC 3339 in UTC with milliseconds: as the signer's clock said, which only the signer vouches for.
  package var signedAt: String
  /// 64 bytes; zeros before it is signed.
  package var value: [UInt8]

  package init(
    publicKey: [UInt8], plugin: String, version: String, signedAt: String,
    value: [UInt8] = [UInt8](repeating: 0, count: signatureBytes)
  ) {
    self.publicKey = publicKey
    self.plugin = plugin
    self.version = version
    self.signedAt = signedAt
    self.value = value
  }

  /// The section's bytes. `keyID` is ``SigningKey/id(of:_:)`` of the public key.
  package func encoded(keyID: String) -> [UInt8] {
    let statement = [
      "algorithm": PluginSignature.algorithm, "key": Base64URL.encode(publicKey), "key_id": keyID,
      "plugin": plugin, "version": version, "signed_at": signedAt,
    ]
    return PluginSignature.magic + value + JSON.encode(.object(statement.mapValues(JSONValue.string)))
  }

  /// Reads a section. Whether it holds is for the caller to find out.
  package static func parse(_ bytes: [UInt8], keyID: (_ publicKey: [UInt8]) -> String) throws(Fault)
    -> PluginSignature
  {
    let head = magic.count + signatureBytes
    guard bytes.count > head, bytes.count <= maxBytes else {
      throw .malformed("it has \(bytes.count) bytes; it takes more than \(head), and at most \(maxBytes)")
    }
    guard bytes.starts(with: magic) else {
      throw .malformed("it does not begin as signatures of this host do")
    }
    let statement: JSONValue
    do throws(JSONError) {
      statement = try JSONValue.parse(bytes.span.extracting(head..<bytes.count), maxDepth: 2)
    } catch { throw .malformed("its statement is not JSON: \(error)") }
    guard case .object(let members) = statement else { throw .malformed("its statement is no JSON object") }
    let algorithm = members["algorithm"]?.string
    guard let algorithm else { throw .malformed("its statement names no algorithm") }
    guard algorithm == PluginSignature.algorithm else { throw .algorithm(algorithm) }
    guard let key = members["key"]?.string.flatMap({ Base64URL.decode($0) }), key.count == publicKeyBytes
    else {
      throw .malformed("its statement holds no public key of \(publicKeyBytes) bytes")
    }
    guard let plugin = members["plugin"]?.string, let version = members["version"]?.string,
      let signedAt = members["signed_at"]?.string, isTime(signedAt)
    else { throw .malformed("its statement lacks plugin, version or signed_at") }
    let signature = PluginSignature(
      publicKey: key, plugin: plugin, version: version, signedAt: signedAt,
      value: Array(bytes[magic.count..<head]))
    // One way to write it: no member more, no blank, no other key id.
    guard signature.encoded(keyID: keyID(key)) == bytes else {
      throw .malformed("its statement is not written as the signer writes it")
    }
    return signature
  }

  /// `2031-04-05T06:07:08.000Z`, by its form: it is compared as text.
  private static func isTime(_ text: String) -> Bool {
    let form = Array("0000-00-00T00:00:00.000Z".utf8)
    return text.utf8.count == form.count
      && zip(text.utf8, form).allSatisfy { byte, wanted in
        wanted == UInt8(ascii: "0") ? (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) : byte == wanted
      }
  }
}

/// What VALIDATE found of a signature that holds.
package struct SignatureFacts: Sendable, Equatable {
  package var keyID: String
  /// The name that the configuration gives the key; nil for a key that it does not trust.
  package var signer: String?
  package var signedAt: String

  package init(keyID: String, signer: String?, signedAt: String) {
    self.keyID = keyID
    self.signer = signer
    self.signedAt = signedAt
  }

  package var json: JSONValue {
    [
      "key_id": .string(keyID), "signer": signer.map(JSONValue.string) ?? .null,
      "signed_at": .string(signedAt), "trusted": .bool(signer != nil),
    ]
  }
}

import Kernel

/// Whose plugins a host takes. A value: what refuses a signature is decided here, without a file or a clock.
package struct SignaturePolicy: Sendable, Equatable {
  package struct TrustedKey: Sendable, Equatable {
    package var name: String
    package var publicKey: [UInt8]
    /// `2031-04-05`: the last day on which this key may have signed; nil for no such day.
    package var until: String?

    package init(name: String, publicKey: [UInt8], until: String? = nil) {
      self.name = name
      self.publicKey = publicKey
      self.until = until
    }
  }

  /// Whether a file without a signature of a trusted key is refused.
  package var isRequired: Bool
  package var keys: [TrustedKey]
  /// Ids of keys whose signatures count for nothing, whenever they were made.
  package var revokedKeys: Set<String>
  /// SHA-256 of files that are refused, signed or not.
  package var revokedFiles: Set<String>

  package init(
    isRequired: Bool = false, keys: [TrustedKey] = [], revokedKeys: Set<String> = [],
    revokedFiles: Set<String> = []
  ) {
    self.isRequired = isRequired
    self.keys = keys
    self.revokedKeys = revokedKeys
    self.revokedFiles = revokedFiles
  }

  /// What the files say of themselves, and trusts nobody: for commands without a host.
  package static let nobody = SignaturePolicy()

  package enum Refusal: Error, Equatable {
    case missing
    case altered
    case unknownKey(String)
    case keyRevoked(String)
    case fileRevoked
    /// The key was past its last day when it signed.
    case keyEnded(name: String, until: String)
    /// The statement is about another plugin than the file.
    case otherPlugin(stated: String)
  }

  package func judge(unsigned sha256: String) throws(Refusal) {
    if revokedFiles.contains(sha256) { throw .fileRevoked }
    if isRequired { throw .missing }
  }

  /// `manifest` is the id and version that are sealed into the file; nil for an unsealed one. `isIntact` says whether
  /// the signature holds for the file and the key that it names.
  package func judge(
    _ signature: PluginSignature, keyID: String, isIntact: Bool, sha256: String,
    manifest: (id: String, version: String)?
  ) throws(Refusal) -> SignatureFacts {
    if revokedFiles.contains(sha256) { throw .fileRevoked }
    if revokedKeys.contains(keyID) { throw .keyRevoked(keyID) }
    guard isIntact else { throw .altered }
    guard let manifest, manifest.id == signature.plugin, manifest.version == signature.version else {
      throw .otherPlugin(stated: "\(signature.plugin) \(signature.version)")
    }
    let key = keys.first { $0.publicKey == signature.publicKey }
    if let key, let until = key.until, signature.signedAt.prefix(until.count) > until {
      throw .keyEnded(name: key.name, until: until)
    }
    if key == nil, isRequired { throw .unknownKey(keyID) }
    return SignatureFacts(keyID: keyID, signer: key?.name, signedAt: signature.signedAt)
  }
}

extension SignaturePolicy {
  /// One line of `plugins.trusted_keys`: `NAME=KEY` or `NAME=KEY until 2031-04-05`, where KEY is base64, PEM, or the path
  /// of a PEM file.
  package struct KeyLine: Sendable, Equatable {
    package enum Source: Sendable, Equatable {
      case key([UInt8])
      case file(String)
    }

    package var name: String
    package var source: Source
    package var until: String?

    package struct Fault: Error, Equatable { package var reason: String }

    package init(_ text: String) throws(Fault) {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, SignaturePolicy.isName(parts[0]) else {
        throw Fault(
          reason:
            "'\(text.prefix(80))' does not read NAME=KEY, with a name of letters, digits, '.', '_' and '-'")
      }
      name = parts[0]
      var rest = parts[1]
      until = nil
      if let place = rest.range(ofLast: " until ") {
        let day = String(rest[place.upperBound...])
        guard SignaturePolicy.isDay(day) else {
          throw Fault(reason: "'\(day.prefix(40))' is no day like 2031-04-05")
        }
        until = day
        rest = String(rest[..<place.lowerBound])
      }
      if rest.hasPrefix("/") {
        source = .file(rest)
      } else if let key = SigningKey.publicKey(rest) {
        source = .key(key)
      } else {
        throw Fault(
          reason: "the key of '\(name)' is no Ed25519 public key in base64 or PEM, and no path from the root")
      }
    }
  }

  private static func isName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  private static func isDay(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == [4, 2, 2], text.utf8.allSatisfy({ $0 == 45 || (48...57).contains($0) }),
      let month = Int(parts[1]), let day = Int(parts[2])
    else { return false }
    return (1...12).contains(month) && (1...31).contains(day)
  }
}

extension String {
  fileprivate func range(ofLast text: String) -> Range<String.Index>? { ranges(of: text).last }
}

import Application
import Configuration
import Cryptography
import Domain
import Kernel
import PluginRuntime

/// Whose plugins this host takes, from its configuration and the files of keys that it names.
enum TrustedKeys {
  private static let maxBytes = 65_536

  static func policy(_ settings: HostConfiguration.Signatures) throws(Problem) -> SignaturePolicy {
    var keys: [SignaturePolicy.TrustedKey] = []
    for text in settings.trustedKeys {
      let line: SignaturePolicy.KeyLine
      do throws(SignaturePolicy.KeyLine.Fault) { line = try SignaturePolicy.KeyLine(text) } catch {
        throw unusable(error.reason)
      }
      keys.append(.init(name: line.name, publicKey: try publicKey(line), until: line.until))
    }
    return SignaturePolicy(
      isRequired: settings.isRequired, keys: keys,
      revokedKeys: Set(settings.revokedKeys.map { $0.lowercased() }),
      revokedFiles: Set(settings.revokedFiles.map { $0.lowercased() }))
  }

  private static func publicKey(_ line: SignaturePolicy.KeyLine) throws(Problem) -> [UInt8] {
    switch line.source {
    case .key(let key): return key
    case .file(let path):
      guard let bytes = WholeFile.read(path, maxBytes: maxBytes) else {
        throw unusable(
          "\(path), the key of '\(line.name)', is no regular file of at most 64 KiB that can be read")
      }
      guard let key = SigningKey.publicKey(String(decoding: bytes, as: UTF8.self)) else {
        throw unusable("\(path), the key of '\(line.name)', holds no Ed25519 public key")
      }
      return key
    }
  }

  /// Whoever cannot say whom to trust trusts nobody.
  static func unusable(_ why: String) -> Problem {
    Problem(
      503, "plugin.signature.policy", "The host does not know whose plugins to take: \(why).",
      members: ["step": "validate"])
  }
}

extension HostSettings {
  /// By the configuration that this host was started with: HUP brings a host with another.
  var signatureCheck: SignatureCheck {
    let signatures = values.signatures
    return SignatureCheck(OpenSSLSignatures()) { () throws(Problem) in try TrustedKeys.policy(signatures) }
  }
}

package import Domain
package import Kernel

/// Whose plugins are taken now. Throws where nobody can tell.
package typealias SignaturePolicySource = @Sendable () throws(Problem) -> SignaturePolicy

/// Ed25519 (RFC 8032). Keys are 32 bytes, signatures 64. Every method may be called from any thread.
package protocol SignatureScheme: Sendable {
  /// A private key that nobody has.
  func makePrivateKey() -> [UInt8]
  func publicKey(of privateKey: [UInt8]) throws(Problem) -> [UInt8]
  func sign(_ message: [UInt8], with privateKey: [UInt8]) throws(Problem) -> [UInt8]
  /// False also for a key or a signature that is none.
  func verify(_ signature: [UInt8], of message: [UInt8], by publicKey: [UInt8]) -> Bool
}

/// What signing did.
package struct SigningReport: Sendable, Equatable {
  /// Where the signed file is.
  package var output: String
  /// Of the signed file, lower-case hex.
  package var sha256: String
  package var plugin: String
  package var version: String
  package var keyID: String
  package var signedAt: String

  package init(
    output: String, sha256: String, plugin: String, version: String, keyID: String, signedAt: String
  ) {
    self.output = output
    self.sha256 = sha256
    self.plugin = plugin
    self.version = version
    self.keyID = keyID
    self.signedAt = signedAt
  }
}

/// Writes a signature into a sealed plugin. Runs nothing of it.
package protocol PluginSigning: Sendable {
  /// `output` may be `path` itself: the file is replaced in one step. Throws what VALIDATE throws, and
  /// `plugin.sign.unsealed` for a file that does not say what it is.
  func sign(
    path: String, output: String, privateKey: [UInt8], at time: Timestamp
  ) throws(Problem) -> SigningReport
}

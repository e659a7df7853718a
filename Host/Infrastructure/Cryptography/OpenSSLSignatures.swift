import Application
package import Kernel

/// Ed25519 by OpenSSL.
package struct OpenSSLSignatures: SignatureScheme {
  package init() {}

  package func makePrivateKey() -> [UInt8] { randomBytes(32) }

  package func publicKey(of privateKey: [UInt8]) throws(Problem) -> [UInt8] {
    guard let key = Ed25519Key(privateKey: privateKey)?.publicKey else { throw failed() }
    return key
  }

  package func sign(_ message: [UInt8], with privateKey: [UInt8]) throws(Problem) -> [UInt8] {
    guard let signature = Ed25519Key(privateKey: privateKey)?.sign(message) else { throw failed() }
    return signature
  }

  package func verify(_ signature: [UInt8], of message: [UInt8], by publicKey: [UInt8]) -> Bool {
    Ed25519Key(publicKey: publicKey)?.verify(signature, of: message) ?? false
  }

  private func failed() -> Problem {
    Problem(422, "plugin.sign.key", "OpenSSL does not take the private key.")
  }
}

import Application
package import Kernel

/// Signatures for tests without OpenSSL: anybody can forge one.
package struct WeakSignatures: SignatureScheme {
  package init() {}

  package func makePrivateKey() -> [UInt8] { [UInt8](repeating: 7, count: 32) }
  package func publicKey(of privateKey: [UInt8]) throws(Problem) -> [UInt8] { privateKey.map { $0 ^ 0xFF } }
  package func sign(_ message: [UInt8], with privateKey: [UInt8]) throws(Problem) -> [UInt8] {
    WeakDigests.digest((privateKey + message).span).bytes + [UInt8](repeating: 0, count: 32)
  }
  package func verify(_ signature: [UInt8], of message: [UInt8], by publicKey: [UInt8]) -> Bool {
    WeakDigests.digest((publicKey.map { $0 ^ 0xFF } + message).span).bytes == Array(signature.prefix(32))
  }
}

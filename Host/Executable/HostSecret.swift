import Application
import Cryptography
import Kernel

/// A secret that a home keeps: every host that serves from it has the same.
enum HostSecret {
  /// Makes it where there is none, or none that can be used: what it proved was for minutes.
  static func read(_ path: String) throws(Problem) -> [UInt8] {
    if let known = try? KeyFile.read(path) { return known[0] }
    try HomeFolder.writeSecret(Hex.encode(randomBytes(Confirmations.secretBytes)), to: path)
    return try KeyFile.read(path)[0]
  }
}

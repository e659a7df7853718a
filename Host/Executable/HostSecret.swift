import Application
import Cryptography
import Kernel

/// A secret that a home keeps: every host that serves from it has the same.
enum HostSecret {
  /// Makes it where there is none. Throws `config.key_file` (422) for a file that is something else.
  static func read(_ path: String) throws(Problem) -> [UInt8] {
    if !HomeFolder.exists(path) {
      try HomeFolder.writeSecret(Hex.encode(randomBytes(Confirmations.secretBytes)), to: path)
    }
    return try KeyFile.read(path)[0]
  }
}

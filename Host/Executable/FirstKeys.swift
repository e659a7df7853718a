import Application
import Domain
import Kernel

/// The first admin key and the first agent key of a new host, each in a file that only its owner can read.
enum FirstKeys {
  static func issue(_ keys: Keys, into folder: String) throws(Problem) {
    let folder = try HomeFolder.make(folder)
    let wanted: [(file: String, principal: String, scopes: [String])] = [
      ("admin.key", "admin", ["*"]), ("agent.key", "agent", ["accounts:*", "hello:*"]),
    ]
    for (file, principal, scopes) in wanted {
      // The file first: a key that is stored and that nobody has would be the first key for good.
      _ = try keys.issue(.init(principal: principal, name: "first \(principal) key", scopes: scopes)) {
        key throws(Problem) in try HomeFolder.writeSecret(key.text, to: "\(folder)/\(file)")
      }
    }
  }
}

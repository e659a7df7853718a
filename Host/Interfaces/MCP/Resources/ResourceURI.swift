import Application
import Kernel

/// `council://<automation>/<collection>`, a page of records; `?after=<cursor>` the next; `/<id>` behind it, one record.
struct ResourceURI: Equatable {
  static let maxBytes = 2048

  var automation: String
  var collection: String
  var id: String?
  var after: String?

  /// nil for any other text.
  init?(_ text: String) {
    let prefix = "council://"
    guard text.utf8.count <= ResourceURI.maxBytes, text.hasPrefix(prefix) else { return nil }
    let halves = text.dropFirst(prefix.count).split(
      separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let parts = halves[0].split(separator: "/", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    automation = String(parts[0])
    collection = String(parts[1])
    if parts.count == 3 {
      guard halves.count == 1, let decoded = PercentDecoding.text(parts[2]) else { return nil }
      id = decoded
    }
    if halves.count == 2 {
      guard halves[1].hasPrefix("after="), let decoded = PercentDecoding.text(halves[1].dropFirst(6)) else {
        return nil
      }
      after = decoded
    }
  }

  static func collection(_ automation: String, _ name: String) -> String { "council://\(automation)/\(name)" }
}

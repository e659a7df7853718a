import Application
import Domain
import Kernel
import Synchronization

// The calls of one automation, as they happen.

extension AdminApplication {
  /// The longest that an answer is held back, and the rows of one.
  private static let maxWait = 2000
  private static let maxRows = 500

  /// Calls of an automation after a place in the audit trail, oldest first. Without `after`: none, and the place where
  /// the trail ends now. With `wait_ms`, the answer waits so long for a call.
  func followCalls(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    let id = request.parameter("id")
    if ports.automations.live(id) == nil, try ports.catalog.generations(of: id).isEmpty {
      throw AdminApplication.notFound(id)
    }
    let end = ports.audit.lastSequence
    guard var place = Int64(request.query["after"] ?? String(end)), place >= 0 else {
      throw Problem(
        400, "request.query_parameter_invalid", "'after' is the 'next' of an earlier answer, or 0.")
    }
    guard let wait = Int(request.query["wait_ms"] ?? "0"), (0...AdminApplication.maxWait).contains(wait)
    else {
      throw Problem(
        400, "request.query_parameter_invalid", "'wait_ms' is a number from 0 to \(AdminApplication.maxWait)."
      )
    }
    var calls: [JSONValue] = []
    if wait > 0 {
      guard followers.enter() else {
        throw Problem(503, "admin.busy", "Others follow calls already.", retryAfterSeconds: 1)
      }
    }
    defer { if wait > 0 { followers.leave() } }
    let deadline = Instant.now + .milliseconds(wait)
    while true {
      let rows = try ports.audit.read(after: place, limit: AdminApplication.maxRows)
      if let last = rows.last?["seq"]?.integer { place = last }
      calls += rows.filter { isCall($0, of: id) }
      if !calls.isEmpty || rows.count == AdminApplication.maxRows { break }
      // Rows of others, and of those who ask here, wake this up; they are passed over.
      guard wait > 0, ports.audit.wait(forRowAfter: place, until: deadline) else { break }
    }
    return AdminAnswer(["items": .array(calls), "next": .integer(place)] as JSONValue)
  }

  /// By its route, or, where it matched none, by its path.
  private func isCall(_ row: JSONValue, of id: String) -> Bool {
    guard row["method"] != nil, let path = row["path"]?.string else { return false }
    if let automation = row["automation"]?.string { return automation == id }
    let root = ports.automations.live(id)?.generation.manifest.root ?? "/" + id
    return path == root || path.hasPrefix(root + "/")
  }
}

/// How many requests hold a control thread while they wait for calls: others need some, too.
final class CallFollowers: Sendable {
  private let inside = Atomic<Int>(0)
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  func enter() -> Bool {
    if inside.add(1, ordering: .relaxed).newValue <= limit { return true }
    leave()
    return false
  }

  func leave() { inside.subtract(1, ordering: .relaxed) }
}

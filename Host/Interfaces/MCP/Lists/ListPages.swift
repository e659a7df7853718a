import Application
import Domain
import Kernel

/// Pages of lists as they were written, for one state of the routes: whoever may see the same gets the same bytes.
///
/// [any] A lock is held for a look-up. Lists are asked for now and then, calls are not.
final class ListPages: Sendable {
  struct Key: Hashable {
    var method: Method
    /// nil: a caller without a key.
    var scopes: ScopeSetID?
    var era: Era
    /// Whether the client can ask its user.
    var elicits: Bool
    var after: String?
  }

  /// A page as it was written.
  struct Page {
    var bytes: [UInt8]
    /// Where the next one begins.
    var next: String?
  }

  /// Of a page's items: with what stands around them it has at most 100,000 characters, as any answer.
  static let mostBytes = 99_000

  private struct State {
    var version = -1
    var indexes: ListIndexes?
    var pages: [Key: [UInt8]] = [:]
    var bytes = 0
    /// What follows pages that are kept. A name that somebody made up leads to pages that are nobody else's.
    var following: Set<Key> = []
  }

  private let state = Monitor(State())
  private let maxPages: Int
  private let maxBytes: Int

  private let jobAfter: Duration?

  init(maxPages: Int, maxBytes: Int, jobAfter: Duration?) {
    self.jobAfter = jobAfter
    self.maxPages = maxPages
    self.maxBytes = maxBytes
  }

  /// What is listed now, sorted when it is first asked for.
  func indexes(_ snapshot: Snapshot) -> ListIndexes {
    let known = state.withLock { state in
      if state.version != snapshot.version { state = State(version: snapshot.version) }
      return state.indexes
    }
    if let known { return known }
    let made = ListIndexes(snapshot, jobAfter: jobAfter)
    state.withLock { if $0.version == snapshot.version { $0.indexes = made } }
    return made
  }

  /// The page of that key, made by `make` unless it is there.
  func page(_ key: Key, version: Int, _ make: () -> Page) -> [UInt8] {
    let known = state.withLock { state in
      if state.version != version { state = State(version: version) }
      return state.pages[key]
    }
    if let known { return known }
    let page = make()
    let made = page.bytes
    state.withLock { state in
      guard state.version == version, made.count <= maxBytes, maxPages > 0,
        key.after == nil || state.following.contains(key)
      else { return }
      if state.pages.count >= maxPages || state.bytes + made.count > maxBytes {
        state.pages = [:]
        state.bytes = 0
        state.following = []
      }
      if let next = page.next {
        var following = key
        following.after = next
        state.following.insert(following)
      }
      state.bytes += made.count - (state.pages.updateValue(made, forKey: key)?.count ?? 0)
    }
    return made
  }
}

import Domain
import Kernel
import Synchronization

/// What the generations that have a file open declare, oldest first. Changed by the writer's thread when one opens, by
/// any when one closes.
final class OpenDeclarations: Sendable {
  private struct Entry {
    var token: UInt64
    /// Of the automation that declares; 0 for one that is no version of another.
    var version: Int
    var collections: [CompiledCollection]
  }

  private struct State {
    var entries: [Entry] = []
    var lastToken: UInt64 = 0
  }

  /// Indexes of one collection that somebody relies on.
  struct Needs {
    var indexes: Set<StoredSchema.Index> = []
    var searchable: Set<String> = []
  }

  private let state = Monitor(State())
  /// Whether records of any collection end by themselves.
  let hasEnding = Atomic<Bool>(false)

  func add(_ collections: [CompiledCollection], version: Int) -> UInt64 {
    state.withLock { state in
      state.lastToken += 1
      state.entries.append(Entry(token: state.lastToken, version: version, collections: collections))
      note(state)
      return state.lastToken
    }
  }

  func remove(_ token: UInt64) {
    state.withLock { state in
      state.entries.removeAll { $0.token == token }
      note(state)
    }
  }

  private func note(_ state: State) {
    let ending = state.entries.contains { $0.collections.contains { $0.schema.expiry != nil } }
    hasEnding.store(ending, ordering: .relaxed)
  }

  /// What the newest generation of each version declares.
  var newest: [Int: [RecordSchema]] {
    state.withLock { state in
      Dictionary(state.entries.map { ($0.version, $0.collections.map(\.schema)) }) { _, later in later }
    }
  }

  /// What must not be taken away from any generation that is open, by collection.
  var needs: [String: Needs] {
    state.withLock { state in
      var needs: [String: Needs] = [:]
      for schema in state.entries.flatMap({ $0.collections.map(\.schema) }) {
        needs[schema.name, default: Needs()].indexes.formUnion(schema.wantedIndexes)
        needs[schema.name, default: Needs()].searchable.formUnion(
          schema.searchable.map { schema.members[$0].name })
      }
      return needs
    }
  }

  /// The collections whose ended records may be removed: every generation agrees on when they end. One that knows no
  /// end still shows them.
  var ending: [CompiledCollection] {
    state.withLock { state in
      (state.entries.last?.collections ?? []).filter { collection in
        guard let field = collection.schema.declaration.expires?.field else { return false }
        return state.entries.allSatisfy { entry in
          entry.collections.allSatisfy {
            $0.schema.name != collection.schema.name || $0.schema.declaration.expires?.field == field
          }
        }
      }
    }
  }
}

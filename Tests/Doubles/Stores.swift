package import Application
package import Domain
package import Kernel

/// The catalog in memory.
package final class MemoryCatalog: Catalog {
  private struct State {
    var numbers: [String: Int] = [:]
    var known: [GenerationRecord] = []
    var active: [String: GenerationRecord] = [:]
    var quarantine: [QuarantineRecord] = []
    var failure: Problem?
  }
  private let state = Monitor(State())

  package init() {}

  /// What `activate` throws from now on.
  package func fail(with problem: Problem?) { state.withLock { $0.failure = problem } }

  package func nextNumber(of automation: String) -> Int {
    state.withLock { state in
      state.numbers[automation, default: 0] += 1
      return state.numbers[automation]!
    }
  }
  package func generations(of automation: String?) -> [GenerationRecord] {
    state.withLock { state in
      state.known.filter { automation == nil || $0.automation == automation }.sorted { $0.number > $1.number }
    }
  }
  package func activeSet() -> [GenerationRecord] {
    state.withLock { $0.active.values.sorted { $0.automation < $1.automation } }
  }
  package func activate(_ generations: [GenerationRecord]) throws(Problem) {
    try state.withLock { state throws(Problem) in
      if let failure = state.failure { throw failure }
      for record in generations {
        state.known.removeAll { $0.automation == record.automation && $0.number == record.number }
        state.known.append(record)
        state.active[record.automation] = record
      }
    }
  }
  package func deactivate(_ automation: String) { state.withLock { $0.active[automation] = nil } }
  package func forget(_ generations: [GenerationRecord]) {
    state.withLock { state in state.known.removeAll { generations.contains($0) } }
  }
  package func quarantined(_ sha256: String) -> QuarantineRecord? {
    state.withLock { $0.quarantine.first { $0.sha256 == sha256 } }
  }
  package func quarantine(_ record: QuarantineRecord) { state.withLock { $0.quarantine.append(record) } }
  package func release(_ sha256: String) -> Bool {
    state.withLock { state in
      let before = state.quarantine.count
      state.quarantine.removeAll { $0.sha256 == sha256 }
      return state.quarantine.count < before
    }
  }
  package func quarantine() -> [QuarantineRecord] { state.withLock { $0.quarantine } }
}

/// Keys in memory, as they were given.
package final class MemoryKeyStore: KeyStore {
  /// Every call's records.
  package let inserts = Monitor<[[KeyRecord]]>([])
  package let updates = Monitor<[KeyRecord]>([])

  /// What happens from now on in place of what is asked.
  package struct Failures: Sendable {
    package var reading: Problem?
    package var writing: Problem?
    package var fault: String?
  }
  package let failures = Monitor(Failures())

  package init() {}

  /// As they are after every update.
  package func forEach(_ visit: (KeyRecord) -> Void) throws(Problem) {
    if let failure = failures.withLock({ $0.reading }) { throw failure }
    let updates = updates.withLock { $0 }
    for record in inserts.withLock({ $0.flatMap { $0 } }) {
      visit(updates.last { $0.id == record.id } ?? record)
    }
  }
  package func insert(_ new: [KeyRecord]) throws(Problem) {
    try beforeWriting()
    inserts.withLock { $0.append(new) }
  }
  package func insert(_ key: KeyRecord, updating other: KeyRecord) throws(Problem) {
    try insert([key])
    try update([other])
  }
  package func recordUses(_ uses: [KeyTable.Use]) throws(Problem) { try beforeWriting() }
  package func update(_ changed: [KeyRecord]) throws(Problem) {
    try beforeWriting()
    updates.withLock { $0 += changed }
  }
  private func beforeWriting() throws(Problem) {
    if let failure = failures.withLock({ $0.writing }) { throw failure }
  }
  package var readFault: String? { failures.withLock { $0.fault } }
}

/// Plugin files as names: nothing is on disk.
package final class NamedFiles: GenerationFiles {
  private let gone = Monitor<[String]>([])
  package var removed: [String] { gone.withLock { $0 } }
  /// Of the last sweep, what was to stay; nil before one.
  package let kept = Monitor<Set<String>?>(nil)

  package init() {}

  package func receive(copyOf path: String) -> String { path }
  package func upload() throws(Problem) -> any Upload { throw Problem(500, "test", "no uploads here") }
  package func adopt(_ incoming: String, automation: String, number: Int, sha256: String) -> String {
    "\(automation)/\(number)@\(incoming)"
  }
  package func absolute(_ file: String) -> String { file }
  package func remove(_ path: String) { gone.withLock { $0.append(path) } }
  package func removeIncoming() {}
  package func removeGenerations(except known: Set<String>) { kept.withLock { $0 = known } }
}

/// Record stores that open and hold nothing.
package final class EmptyStores: RecordStores {
  package init() {}

  package func plan(automation: String, version: Int?, collections: [CollectionDeclaration]) -> [String] {
    []
  }
  package func open(automation: String, version: Int?, collections: [CollectionDeclaration])
    -> any RecordStore
  {
    EmptyStore()
  }
}

private final class EmptyStore: RecordStore {
  func collection(named name: String) -> Int? { nil }
  func call(
    _ operation: RecordOperation, collection: Int, key: Span<UInt8>, input: Span<UInt8>,
    expectedVersion: Int64, isDryRun: Bool
  ) throws(Problem) -> RecordResult { throw Problem(404, "records.not_found", "empty") }
  var fault: String? { nil }
  func close() {}
}

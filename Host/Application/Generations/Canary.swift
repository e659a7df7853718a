package import Domain
package import Kernel

/// A new generation that takes a part of the requests while the old one serves, and the figures of both.
///
/// Deciding and counting take no lock and, after a thread's first request, no memory: each thread counts in words
/// of its own.
package final class Canary: Sendable {
  package let candidate: LiveAutomation
  package let baseline: Generation
  package let rule: CanaryRule
  package let began = Instant.now
  let started: ChangeAutomation.Started
  private let header: [UInt8]?
  /// Hashes below this go to the canary.
  private let threshold: UInt64
  /// So that a caller who meets one canary does not meet all of them.
  private let salt: UInt64
  private let sides: ThreadSlots<CanaryCells>

  init(_ started: ChangeAutomation.Started, baseline: Generation, rule: CanaryRule) {
    self.started = started
    candidate = started.automation
    self.baseline = baseline
    self.rule = rule
    header = rule.header.map { Array($0.utf8) }
    threshold = UInt64(rule.percent) * (UInt64.max / 100)
    salt = UInt64.random(in: 0 ... .max)
    sides = ThreadSlots { _ in CanaryCells() }
  }

  package var automation: String { baseline.manifest.id }
  var isOver: Bool { Instant.now - began >= Duration.seconds(rule.seconds).nanoseconds }

  /// Whether the canary answers this request. A caller's key is taken as it was sent: whether it is one is found out
  /// later, and the same in both generations. [event]
  package func takes(_ exchange: Exchange) -> Bool {
    let head = exchange.head
    if let header {
      for field in exchange.headers where head.span(field.name).isEqual(to: header.span) { return true }
    }
    if threshold == 0 { return false }
    if rule.share == .request { return hash(head.span(exchange.requestID)) < threshold }
    let key = Keys.credential(of: exchange)
    if key.isEmpty {
      return Canary.mix(salt ^ exchange.peer.0 &* 31 ^ exchange.peer.1) < threshold
    }
    return hash(head.span(key)) < threshold
  }

  /// [event]
  package func record(isCandidate: Bool, status: Int, nanoseconds: Int64) {
    sides.current.add(isCandidate ? 1 : 0, status: status, nanoseconds: nanoseconds)
  }

  /// What both sides did so far.
  package var figures: (new: CanaryFigures, old: CanaryFigures) {
    var (new, old) = (CanaryFigures(), CanaryFigures())
    sides.forEach { cells in
      cells.read(0, into: &old)
      cells.read(1, into: &new)
    }
    return (new, old)
  }

  /// FNV-1a, then mixed: the threshold is compared with the upper bits.
  private func hash(_ bytes: Span<UInt8>) -> UInt64 {
    var hash = 14_695_981_039_346_656_037 ^ salt
    for index in bytes.indices { hash = (hash ^ UInt64(bytes[index])) &* 1_099_511_628_211 }
    return Canary.mix(hash)
  }

  /// The finalizer of MurmurHash3.
  private static func mix(_ word: UInt64) -> UInt64 {
    var word = (word ^ word >> 33) &* 0xFF51_AFD7_ED55_8CCD
    word = (word ^ word >> 33) &* 0xC4CE_B9FE_1A85_EC53
    return word ^ word >> 33
  }
}

/// One thread's counts of both sides.
private final class CanaryCells: Sendable {
  private static let requests = CanaryFigures.bucketCount
  private static let errors = requests + 1
  private static let sum = requests + 2
  private static let squares = requests + 3
  private static let perSide = requests + 4

  private let words = AtomicWords(count: 2 * CanaryCells.perSide)

  func add(_ side: Int, status: Int, nanoseconds: Int64) {
    let first = side * CanaryCells.perSide
    let duration = Double(nanoseconds) / 1_000_000
    words.addAsOnlyWriter(1, at: first + CanaryFigures.bucket(of: nanoseconds))
    words.addAsOnlyWriter(1, at: first + CanaryCells.requests)
    if status >= 500 { words.addAsOnlyWriter(1, at: first + CanaryCells.errors) }
    add(duration, at: first + CanaryCells.sum)
    add(duration * duration, at: first + CanaryCells.squares)
  }

  /// The word is a Double that this thread alone writes.
  private func add(_ number: Double, at index: Int) {
    words.store((Double(bitPattern: words.load(index)) + number).bitPattern, at: index)
  }

  func read(_ side: Int, into figures: inout CanaryFigures) {
    let first = side * CanaryCells.perSide
    for bucket in 0..<CanaryFigures.bucketCount { figures.buckets[bucket] += Int(words.load(first + bucket)) }
    figures.requests += Int(words.load(first + CanaryCells.requests))
    figures.errors += Int(words.load(first + CanaryCells.errors))
    figures.sumMilliseconds += Double(bitPattern: words.load(first + CanaryCells.sum))
    figures.sumOfSquares += Double(bitPattern: words.load(first + CanaryCells.squares))
  }
}

/// A canary as admins see it.
package struct CanaryReport: Sendable {
  package enum State: String, Sendable, CaseIterable {
    case running, promoted, rolledBack = "rolled_back", aborted
  }

  package var state: State
  package var automation: String
  package var generation: Int
  package var previous: Int
  package var version: String
  package var sha256: String
  package var rule: CanaryRule
  package var elapsedMilliseconds: Int64
  package var new: CanaryFigures
  package var old: CanaryFigures
  /// Why it ended so; nil while it runs.
  package var reason: String?

  init(_ canary: Canary, _ state: State, reason: String? = nil) {
    self.state = state
    automation = canary.automation
    generation = canary.candidate.generation.record.number
    previous = canary.baseline.record.number
    version = canary.candidate.generation.record.version
    sha256 = canary.candidate.generation.record.sha256
    rule = canary.rule
    elapsedMilliseconds = (Instant.now - canary.began) / 1_000_000
    (new, old) = canary.figures
    self.reason = reason
  }

  /// What the audit trail says of its end.
  package var facts: [String: JSONValue] {
    var facts: [String: JSONValue] = [
      "generation": .integer(Int64(generation)), "previous": .integer(Int64(previous)),
      "version": .string(version), "sha256": .string(sha256), "canary": .string(state.rawValue),
    ]
    guard let reason else { return facts }
    facts["reason"] = .string(reason)
    facts["new"] = new.json
    facts["old"] = old.json
    return facts
  }

  package var json: JSONValue {
    [
      "state": .string(state.rawValue), "automation": .string(automation),
      "generation": .integer(Int64(generation)), "previous": .integer(Int64(previous)),
      "version": .string(version), "percent": .integer(Int64(rule.percent)),
      "share": .string(rule.share.rawValue), "header": rule.header.map(JSONValue.string) ?? .null,
      "seconds": .integer(Int64(rule.seconds)), "elapsed_ms": .integer(elapsedMilliseconds),
      "new": new.json, "old": old.json, "reason": reason.map(JSONValue.string) ?? .null,
    ]
  }
}

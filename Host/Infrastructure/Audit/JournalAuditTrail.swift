package import Application
package import Kernel
import Synchronization

/// The audit trail as files of JSON lines, each line hashed over the one before with a key.
///
/// An event thread copies a row's facts into a ring of its own and goes on; one flusher thread orders the rows of all
/// rings by time, numbers and hashes them, and writes them in groups, each made durable by one fdatasync.
///
/// `<folder>/<first seq>.jsonl` are the rows, `<folder>/head` says how far they reach, `<folder>/key` (mode 0600) is
/// what the hashes are made with. Somebody who can write to the folder but not read the key cannot change, add,
/// take out or reorder a row, nor cut either end, without ``verify()`` finding it. Somebody who has the key can
/// rewrite everything, and somebody who kept an old copy of the whole folder can put it back: against both,
/// keep the hash that `verify` returns, or the rows themselves, on another machine.
package final class JournalAuditTrail: AuditTrail {
  package struct Limits: Sendable {
    /// Of each thread that records, a power of two. Half of it is admitted to; the rest is for requests that
    /// are on their way.
    package var ringBytes = 4 << 20
    /// The longest that a row waits before it is written.
    package var flushInterval: Duration = .milliseconds(40)
    /// A segment that has reached this gets no more batches.
    package var segmentBytes = 64 << 20
    /// nil keeps every segment.
    package var keptSegments: Int?
    /// How long ``admit()`` may hold up its thread when the ring is full.
    package var admitWait: Duration = .seconds(2)
    /// How long an act of administration waits for the disk.
    package var actWait: Duration = .seconds(5)
    /// After an error of the disk.
    package var retryInterval: Duration = .milliseconds(250)
    /// Rows of one ``read(after:limit:)``.
    package var maxRead = 1000

    package init() {}
  }

  /// What one thread records into. The ring is read by the flusher, the scratch by nobody else.
  private final class Lane {
    let ring: ByteRing
    let scratch = Arena(capacity: 2048)

    init(_ ringBytes: Int) { ring = ByteRing(capacity: ringBytes) }
  }

  private struct Inbox {
    var isAwake = false
    var isClosed = false
    var isFailing = false
    var acts: [(ticket: Int, frame: [UInt8])] = []
    /// The last that was given out, that the flusher took, and that is on disk.
    var lastTicket = 0
    var takenTicket = 0
    var durableTicket = 0
    /// Frames that found their ring full, and those of jobs that have ended: on any thread, of which few have a ring.
    var overflow: [[UInt8]] = []
    /// What the flusher is asked to do with the trail, and what came of it.
    var move: Move?
    var moved: Result<Int, Problem>?
    var isAside = false
    /// Walks of the files that run now: nothing is deleted meanwhile.
    var walkers = 0
    var durable: Journal.Durable
  }

  private enum Move { case aside(String), back, absorb }

  /// What was repaired when the trail was opened.
  package let recovery: AuditRecovery

  let folder: any AuditFolder
  let digests: any Digests
  let key: [UInt8]
  let limits: Limits
  private let log: any LogSink
  private let lanes: ThreadSlots<Lane>
  private let inbox: Monitor<Inbox>
  private let isFailing = Atomic<Bool>(false)
  private let isAsked = Atomic<Bool>(false)
  private let thread = Monitor<OSThread?>(nil)

  /// Opens the trail in a folder, which is made when it is missing. See ``Journal/open(_:_:limits:now:)`` for
  /// what it throws.
  package convenience init(
    folder path: String, digests: any Digests, log: any LogSink, limits: Limits = Limits()
  ) throws(Problem) {
    let folder: DiskAuditFolder
    do { folder = try DiskAuditFolder(path) } catch { throw JournalAuditTrail.unavailable(error) }
    try self.init(in: folder, digests: digests, log: log, limits: limits)
  }

  package init(
    in folder: any AuditFolder, digests: any Digests, log: any LogSink, limits: Limits = Limits()
  ) throws(Problem) {
    precondition(limits.ringBytes >= 64 << 10 && limits.segmentBytes > 0 && limits.keptSegments ?? 1 > 0)
    let journal: Journal
    (journal, key, recovery) = try Journal.open(folder, digests, limits: limits, now: .now)
    self.folder = folder
    self.digests = digests
    self.log = log
    self.limits = limits
    lanes = ThreadSlots { _ in Lane(limits.ringBytes) }
    inbox = Monitor(Inbox(durable: journal.durable))
    if recovery.cutBytes > 0 {
      log.log(
        .warning, "audit", "an unconfirmed end of the audit trail was cut off",
        ["cut_bytes": .integer(Int64(recovery.cutBytes))])
    }
    thread.withLock { $0 = OSThread("audit") { [self] in run(journal) } }
  }

  /// Whether the last write reached the disk: while it does not, no request is admitted. [any]
  package var isWriting: Bool { !isFailing.load(ordering: .acquiring) }

  /// Writes what waits and ends the flusher. No row may be recorded afterwards. Returns false when rows could
  /// not be written.
  @discardableResult
  package func close() -> Bool {
    let ending = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    inbox.signal(all: true) { $0.isClosed = true }
    ending?.join()
    return !isFailing.load(ordering: .acquiring)
  }
}

// MARK: - Recording

extension JournalAuditTrail {
  package func admit() -> Bool {
    guard !isFailing.load(ordering: .relaxed) else { return false }
    let ring = lanes.current.ring
    if ring.used <= ring.capacity / 2 { return true }
    askFlusher()
    return inbox.wait(until: .now + limits.admitWait) { inbox in
      if inbox.isFailing || inbox.isClosed { return false }
      return ring.used <= ring.capacity / 2 ? true : nil
    } ?? false
  }

  package func record(_ row: RequestAudit, of exchange: Exchange) {
    let lane = lanes.current
    let scratch = lane.scratch
    let ring = lane.ring
    Frames.encode(row, of: exchange, to: scratch)
    if ring.write(scratch.span(scratch.all)) {
      if ring.used > ring.capacity / 2 { askFlusher() }
    } else {
      // More requests were on their way than half a ring holds: rare, and worth a lock to lose none.
      let frame = [UInt8](scratch.span(scratch.all))
      inbox.signal(all: true) { inbox in
        inbox.overflow.append(frame)
        inbox.isAwake = true
      }
    }
  }

  /// As many of these may wait as there may be jobs: none begins while the disk fails.
  package func record(endOfJob row: RequestAudit, of exchange: Exchange) {
    let scratch = Arena()
    Frames.encode(row, of: exchange, to: scratch)
    let frame = [UInt8](scratch.span(scratch.all))
    inbox.withLock { $0.overflow.append(frame) }
  }

  /// The row may still be written after this threw `audit.unavailable` (503): nobody can say whether a disk that
  /// does not answer took it.
  package func record(_ act: AdminAct) throws(Problem) {
    let scratch = Arena()
    Frames.encode(act, to: scratch)
    let frame = [UInt8](scratch.span(scratch.all))
    let ticket = inbox.signal(all: true) { inbox -> Int? in
      guard !inbox.isFailing && !inbox.isClosed else { return nil }
      inbox.lastTicket += 1
      inbox.acts.append((inbox.lastTicket, frame))
      inbox.isAwake = true
      return inbox.lastTicket
    }
    guard let ticket else { throw JournalAuditTrail.unavailable(nil) }
    let isDurable = inbox.wait(until: .now + limits.actWait) { inbox in
      if inbox.durableTicket >= ticket { return true }
      return inbox.isFailing ? false : nil
    }
    if isDurable == true { return }
    inbox.withLock { inbox in inbox.acts.removeAll { $0.ticket == ticket } }
    throw JournalAuditTrail.unavailable(nil)
  }

  /// One wake-up per batch: the flag spares the lock to all but the first who asks.
  private func askFlusher() {
    guard !isAsked.load(ordering: .relaxed), !isAsked.exchange(true, ordering: .relaxed) else { return }
    inbox.signal(all: true) { $0.isAwake = true }
  }
}

// MARK: - The flusher

extension JournalAuditTrail {
  private func run(_ first: Journal) {
    var journal = first
    let frames = Arena(capacity: 64 << 10)
    var isLast = false
    while !isLast {
      let pause = isFailing.load(ordering: .relaxed) ? limits.retryInterval : limits.flushInterval
      let isClosed = inbox.wait(until: .now + pause) { inbox -> Bool? in
        guard inbox.isAwake || inbox.isClosed else { return nil }
        inbox.isAwake = false
        return inbox.isClosed
      }
      // What came before the trail was closed is in the rings by now: one more round takes it all.
      isLast = isClosed ?? false
      isAsked.store(false, ordering: .relaxed)
      if journal.hasPending { commit(journal) }
      if !journal.hasPending { collect(frames, journal) }
      if journal.hasPending { commit(journal) }
      if let move = inbox.withLock({ $0.move }) {
        let result: Result<Int, Problem>
        do throws(Problem) { result = .success(try carryOut(move, &journal)) } catch {
          result = .failure(error)
        }
        inbox.signal(all: true) { inbox in
          inbox.move = nil
          inbox.moved = result
        }
      }
    }
    try? journal.close()
  }

  /// Takes everything that waits, and renders it.
  private func collect(_ frames: Arena, _ journal: Journal) {
    frames.removeAll(retaining: frames.count > 256 << 10 ? 4 << 20 : 64 << 10)
    func drain(_ lane: Lane) { lane.ring.drain(into: frames) }
    lanes.forEach(drain)
    let (acts, overflow) = inbox.withLock { inbox in
      defer {
        inbox.acts.removeAll()
        inbox.overflow.removeAll()
        inbox.takenTicket = inbox.lastTicket
      }
      return (inbox.acts, inbox.overflow)
    }
    for frame in overflow { frames.append(frame.span) }
    for act in acts { frames.append(act.frame.span) }
    journal.render(frames)
  }

  private func commit(_ journal: Journal) {
    do {
      let durable = try journal.commit()
      inbox.signal(all: true) { inbox in
        inbox.durable = durable
        inbox.isFailing = false
        inbox.durableTicket = inbox.takenTicket
      }
      // Last: whoever is admitted from here on may record an act as well.
      if isFailing.exchange(false, ordering: .releasing) {
        log.log(.info, "audit", "the audit trail can be written again")
      }
      forgetOldest(journal)
    } catch {
      fail(error)
    }
  }

  /// Readers stop seeing the oldest segments before these go; while one walks, nothing goes.
  private func forgetOldest(_ journal: Journal) {
    guard let shorter = journal.withoutOldest, !inbox.withLock({ $0.isAside }) else { return }
    let mayForget = inbox.withLock { inbox in
      guard inbox.walkers == 0 else { return false }
      inbox.durable = shorter
      return true
    }
    guard mayForget else { return }
    do {
      try journal.forget(downTo: shorter)
    } catch {
      log.log(
        .error, "audit", "an old segment of the audit trail cannot be deleted",
        ["operation": .string(error.operation), "errno": .integer(Int64(error.code))])
    }
  }

  private func fail(_ error: AuditFileError) {
    inbox.signal(all: true) { $0.isFailing = true }
    if !isFailing.exchange(true, ordering: .releasing) {
      log.log(
        .critical, "audit", "the audit trail cannot be written: requests are refused until it can",
        ["operation": .string(error.operation), "errno": .integer(Int64(error.code))])
    }
  }
}

// MARK: - Handing over

extension JournalAuditTrail {
  /// From its return on, another process may open the trail: rows of this one go aside. Throws `audit.unavailable` when
  /// the disk fails; then nothing has changed. [control]
  package func moveAside() throws(Problem) {
    _ = try ask(.aside(Aside.prefix + UUIDv7.make()))
  }

  /// Takes the trail back that no other process has opened, or that has closed it. [control]
  package func moveBack() throws(Problem) { _ = try ask(.back) }

  /// Takes in what hosts that are gone have set aside; returns how many rows. [control]
  package func absorbAsides() throws(Problem) -> Int { try ask(.absorb) }

  private func ask(_ move: Move) throws(Problem) -> Int {
    inbox.signal(all: true) { inbox in
      inbox.moved = nil
      inbox.move = move
      inbox.isAwake = true
    }
    // The flusher does it or says why not; it ends only when the trail is closed.
    let moved = inbox.wait { inbox in
      inbox.moved ?? (inbox.isClosed ? .failure(JournalAuditTrail.unavailable(nil)) : nil)
    }
    guard let moved else { throw JournalAuditTrail.unavailable(nil) }
    return try moved.get()
  }

  private func carryOut(_ move: Move, _ journal: inout Journal) throws(Problem) -> Int {
    do throws(AuditFileError) {
      switch move {
      case .aside(let name): return try setAside(name, &journal).get()
      case .back:
        guard inbox.withLock({ $0.isAside }) else { return 0 }
        if journal.hasPending { _ = try journal.commit() }
        try journal.close()
        // The aside is unlocked with its folder's last reference, so that it can be taken in.
        journal = try reopened().get()
        return try takeIn(journal)
      case .absorb:
        if inbox.withLock({ $0.isAside }) { return 0 }
        return try takeIn(journal)
      }
    } catch {
      throw JournalAuditTrail.unavailable(error)
    }
  }

  private func takeIn(_ journal: Journal) throws(AuditFileError) -> Int {
    try journal.absorb(digests, key, log) { durable in inbox.withLock { $0.durable = durable } }
  }

  private func setAside(
    _ name: String, _ journal: inout Journal
  ) throws(AuditFileError) -> Result<Int, AuditFileError> {
    if journal.hasPending { _ = try journal.commit() }
    let aside = try folder.aside(name, creating: true)
    let next: Journal
    do throws(Problem) {
      let key = Aside.key(name, key, digests)
      next = try Journal.open(aside, digests, limits: limits, now: .now, key: key).journal
    } catch {
      return .failure(AuditFileError("aside", code: 0))
    }
    journal.render(Aside.frame(Aside.began, name))
    _ = try journal.commit()
    try journal.close()
    journal = next
    inbox.signal(all: true) { inbox in
      inbox.isAside = true
      inbox.durable = next.durable
    }
    return .success(0)
  }

  private func reopened() throws(AuditFileError) -> Result<Journal, AuditFileError> {
    do throws(Problem) {
      let journal = try Journal.open(folder, digests, limits: limits, now: .now).journal
      inbox.signal(all: true) { inbox in
        inbox.isAside = false
        inbox.durable = journal.durable
      }
      return .success(journal)
    } catch {
      return .failure(AuditFileError("open", code: 0))
    }
  }

  static let handedOver = Problem(
    503, "audit.handed_over", "Another host process has the audit trail: send the request again.",
    retryAfterSeconds: 1)
}

// MARK: - What readers see

extension JournalAuditTrail {
  var durableNow: Journal.Durable { inbox.withLock { $0.durable } }

  /// Waits until what is on disk is as wanted, or the trail closes.
  func waitDurable(until deadline: Instant, _ isWanted: (Journal.Durable) -> Bool) -> Bool {
    inbox.wait(until: deadline) { inbox in
      if isWanted(inbox.durable) { return true }
      return inbox.isClosed ? false : nil
    } ?? false
  }
}

extension JournalAuditTrail {
  /// Runs `body` on what is on disk now; nothing of it is deleted meanwhile. nil while another process has the trail:
  /// what this one has on disk then is an aside.
  func withDurable<Result>(
    _ body: (Journal.Durable) throws(AuditFileError) -> Result
  ) throws(AuditFileError) -> Result? {
    let durable = inbox.withLock { inbox -> Journal.Durable? in
      if inbox.isAside { return nil }
      inbox.walkers += 1
      return inbox.durable
    }
    guard let durable else { return nil }
    defer { inbox.withLock { $0.walkers -= 1 } }
    return try body(durable)
  }

  static func unavailable(_ error: AuditFileError?) -> Problem {
    var members: [String: JSONValue] = [:]
    if let error {
      members = ["operation": .string(error.operation), "errno": .integer(Int64(error.code))]
    }
    return Problem(
      503, "audit.unavailable", "the audit trail cannot be used: what cannot be audited is not done",
      members: members, retryAfterSeconds: 1)
  }

  static func broken(_ fault: ChainFault) -> Problem {
    Problem(
      409, "audit.broken", "the audit trail does not hold at row \(fault.seq): \(fault.reason)",
      members: ["seq": .integer(fault.seq), "reason": .string(fault.reason)])
  }
}

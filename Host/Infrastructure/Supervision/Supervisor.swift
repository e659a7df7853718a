package import Application
package import Domain
package import Kernel

/// `council serve`: owns the listening sockets and the home, and keeps one host serving on them.
///
/// One thread, no plugin, no store. ``Succession`` decides; this carries it out. Hosts are this program again; they get
/// what ``HostDescriptors`` lists, and die with the supervisor.
package final class Supervisor {
  package struct Plan: Sendable {
    /// The program's file, and its arguments with the program's name.
    package var executable: String
    package var arguments: [String]
    package var environment: [String]
    package var publicListener: Int32
    package var adminListener: Int32
    package var homeLock: Int32
    package var limits: Succession.Limits
    package var heartbeat: Heartbeat.Limits
    package var repeatSuspect: RepeatSuspect
    /// The text of the configuration file; empty when there is none.
    package var configuration: [UInt8]
    /// What the file says now, for SIGHUP: its text, and what its differences from the text in use need. Throws what is
    /// wrong with it.
    package var reload: @Sendable (_ inUse: [UInt8]) throws(Problem) -> Reload

    package init(
      executable: String, arguments: [String], environment: [String], publicListener: Int32,
      adminListener: Int32, homeLock: Int32, limits: Succession.Limits,
      heartbeat: Heartbeat.Limits, repeatSuspect: RepeatSuspect, configuration: [UInt8],
      reload: @escaping @Sendable (_ inUse: [UInt8]) throws(Problem) -> Reload
    ) {
      self.executable = executable
      self.arguments = arguments
      self.environment = environment
      self.publicListener = publicListener
      self.adminListener = adminListener
      self.homeLock = homeLock
      self.limits = limits
      self.heartbeat = heartbeat
      self.repeatSuspect = repeatSuspect
      self.configuration = configuration
      self.reload = reload
    }
  }

  package struct Reload: Sendable {
    package var text: [UInt8]
    package var change: ConfigurationChange
    package var logLevel: LogLevel

    package init(text: [UInt8], change: ConfigurationChange, logLevel: LogLevel) {
      self.text = text
      self.change = change
      self.logLevel = logLevel
    }
  }

  private struct Host {
    var process: ChildProcess
    var channel: Channel
    var page: CrashPageFile
    var started: Instant
    var configuration: [UInt8]
    var heartbeat: Heartbeat
    /// Its end of the channel is closed: it ends, by itself or by force, and is not listened to.
    var isMute = false
    /// Why it was told to abort.
    var reason: String?
    /// Somebody had stopped it when it was: a debugger, or SIGSTOP. Whose code it was in then says nothing.
    var wasStopped = false
  }

  private let plan: Plan
  private let signals: SignalQueue
  private let log = SupervisorLog()
  private var succession: Succession
  private var hosts: [Succession.HostID: Host] = [:]
  private var configuration: [UInt8]
  /// What a hand-over that is under way would bring.
  private var pending: [UInt8]?
  private var hasLoaded = false
  private var crashes: [CrashReport] = []
  private var repeatSuspect: RepeatSuspect
  private var end: Int32?

  package init(_ plan: Plan) throws(Problem) {
    guard let signals = SignalQueue() else {
      throw Problem(500, "supervisor.unavailable", "The system gives no descriptor for signals.")
    }
    self.plan = plan
    self.signals = signals
    configuration = plan.configuration
    succession = Succession(plan.limits)
    repeatSuspect = plan.repeatSuspect
  }

  /// Returns the exit code when every host has ended.
  package func run() -> Int32 {
    carryOut(succession.begin(.now))
    while end == nil {
      let ids = hosts.keys.sorted()
      let descriptors =
        [signals.descriptor]
        + ids.flatMap { id in
          guard let host = hosts[id] else { return [Int32(-1), -1] }
          return [host.isMute ? -1 : host.channel.descriptor, host.process.descriptor]
        }
      let ready = SupervisorSystem.wait(for: descriptors, until: deadline)
      if ready[0] { takeSignals() }
      for (place, id) in ids.enumerated() {
        if ready[1 + 2 * place] { listen(to: id) }
        if ready[2 + 2 * place] { reap(id) }
      }
      carryOut(succession.tick(.now))
      lookForLife()
    }
    return end ?? 0
  }

  private var deadline: Instant? {
    ([succession.deadline] + hosts.values.map(\.heartbeat.deadline)).compactMap { $0 }.min()
  }

  // MARK: Events

  private func takeSignals() {
    while let event = signals.next() {
      // Whoever signals may have seen a host serve: what the hosts said until now counts first.
      for (id, host) in hosts.sorted(by: { $0.key < $1.key }) where !host.isMute { listen(to: id) }
      switch event {
      case .end: carryOut(succession.asksToEnd(.now))
      case .handOver: carryOut(succession.requestHandOver(.now))
      case .reload: reload()
      }
    }
  }

  private func listen(to id: Succession.HostID) {
    while let host = hosts[id] {
      switch host.channel.receive(waits: false) {
      case .nothing: return
      case .closed, .broken:
        // A plugin may have closed it; a host that nobody can talk to is none.
        hosts[id]?.isMute = true
        hosts[id]?.heartbeat.lost(.now)
        return
      case .message(let bytes):
        guard let word = HostWord(bytes) else {
          log.write("error", "a host said what nobody understands")
          continue
        }
        heard(word, from: id)
      }
    }
  }

  private func heard(_ word: HostWord, from id: Succession.HostID) {
    switch word.kind {
    case .noted: crashes.removeAll { word.crashes?.contains($0.id) == true }
    case .keyChanged:
      var notice = Notice(.keyChanged)
      notice.key = word.key
      for other in hosts.keys where other != id { tell(other, notice) }
    case .standby: carryOut(succession.said(id, .standby, .now))
    case .serving:
      hasLoaded = true
      carryOut(succession.said(id, .serving, .now))
      if succession.servingHost == id, let host = hosts[id] { serves(id, host) }
      SupervisorSystem.releaseMemory()
    case .frozen: carryOut(succession.said(id, .frozen, .now))
    case .alive: hosts[id]?.heartbeat.answered(.now)
    case .busy: carryOut(succession.said(id, .busy(word.cause ?? "the host is busy"), .now))
    case .yielded: carryOut(succession.said(id, .yielded, .now))
    case .wantsHandOver:
      log.write("info", "a hand-over is asked for", ["cause": .string(word.cause ?? "")])
      carryOut(succession.said(id, .wantsHandOver(word.cause ?? ""), .now))
    }
  }

  /// A host that does not answer writes down who is inside, and makes place.
  private func lookForLife() {
    let now = Instant.now
    for id in hosts.keys {
      let isServing = succession.servingHost == id && !succession.wasAsked(id)
      for action in hosts[id]?.heartbeat.tick(now, isServing: isServing) ?? [] {
        switch action {
        case .ask: tell(id, Notice(.areYouAlive))
        case .abort(let cause):
          guard let process = hosts[id]?.process else { continue }
          log.write("error", "the host is given up: \(cause)")
          hosts[id]?.reason = cause
          hosts[id]?.wasStopped = SupervisorSystem.isStopped(process.id)
          process.abort()
        case .kill: hosts[id]?.process.kill()
        }
      }
    }
  }

  private func serves(_ id: Succession.HostID, _ host: Host) {
    configuration = host.configuration
    tellCrashes(id)
    // Read while the hand-over was under way already: it takes another one.
    if let next = pending, next != configuration {
      carryOut(succession.requestHandOver(.now))
    } else {
      pending = nil
    }
  }

  /// Of crashes that no host has stored.
  private func tellCrashes(_ id: Succession.HostID) {
    guard !crashes.isEmpty else { return }
    var notice = Notice(.crashed)
    notice.crashes = crashes
    tell(id, notice)
  }

  private func reap(_ id: Succession.HostID) {
    guard let host = hosts[id] else { return }
    // Its end made the descriptor ready. Children that a plugin forked would outlive it otherwise.
    host.process.killGroup()
    guard let ending = host.process.reap() else { return }
    // What it said before its end counts.
    listen(to: id)
    hosts[id] = nil
    SupervisorSystem.close(host.process.descriptor)
    var isOrderly = false
    if case .exit(let code) = ending { isOrderly = succession.wasAsked(id) ? code == 0 : !hasLoaded }
    if isOrderly, case .exit(let code) = ending {
      carryOut(succession.ended(id, .exited(code), .now))
      return
    }
    let evidence = evidence(host, ending)
    if ending == .exit(0), evidence.inside.isEmpty {
      // Somebody told the host itself to end, and it did so in order.
      log.write("warning", "a host ended by itself", ["pid": .integer(Int64(host.process.id))])
      carryOut(succession.ended(id, .crashed(hasCulprit: false), .now))
      return
    }
    var crash = evidence.report(
      id: UUIDv7.make(), now: .now, processID: Int(host.process.id),
      uptime: .nanoseconds(Instant.now - host.started))
    if host.wasStopped { crash.reason = "it was stopped by a signal or a debugger" }
    if evidence.isOpen, let culprit = repeatSuspect.note(crash.suspects, at: crash.time) {
      crash.culprit = culprit
      crash.basis = "inside_each_time"
    }
    var fields = crash.json
    fields["pid"] = .integer(Int64(host.process.id))
    log.write("critical", "a host ended: \(crash.cause)", fields)
    crashes.append(crash)
    if crashes.count > Messages.maxCrashes { crashes.removeFirst() }
    carryOut(succession.ended(id, .crashed(hasCulprit: crash.culprit != nil), .now))
    if let serving = succession.servingHost { tellCrashes(serving) }
  }

  private func evidence(_ host: Host, _ ending: ChildProcess.Ending) -> CrashEvidence {
    let known: CrashEvidence.Ending =
      switch ending {
      case .exit(let code): .exit(code)
      case .signal(let number): .signal(number, name: SupervisorSystem.signalName(number))
      }
    var evidence = host.page.evidence(known)
    if let reason = host.reason, !host.wasStopped {
      evidence.reason = evidence.reason ?? reason
      // Whatever else ended it meanwhile tells more.
      if case .signal(SupervisorSystem.abort, _) = known { evidence.isGivenUp = evidence.reason == reason }
      if case .signal(SupervisorSystem.kill, _) = known { evidence.isGivenUp = true }
    }
    return evidence
  }

  // MARK: The configuration

  private func reload() {
    let read: Reload
    do throws(Problem) { read = try plan.reload(configuration) } catch {
      log.write(
        "error", "the configuration is refused, the old one stays: \(error.detail)",
        ["code": .string(error.code)])
      return
    }
    let change = read.change
    log.write(
      "info", "the configuration was read",
      [
        "live": .array(change.live.map(JSONValue.string)),
        "hand_over": .array(change.handOver.map(JSONValue.string)),
        "restart": .array(change.restart.map(JSONValue.string)),
      ])
    if !change.restart.isEmpty {
      log.write(
        "warning", "some settings need `council serve` to be started again",
        ["settings": .array(change.restart.map(JSONValue.string))])
    }
    if change.needsHandOver {
      pending = read.text
      carryOut(succession.requestHandOver(.now))
      if !succession.isHandingOver { pending = nil }
      return
    }
    configuration = read.text
    var notice = Notice(.settings)
    notice.logLevel = read.logLevel
    for id in hosts.keys { tell(id, notice) }
  }

  // MARK: Actions

  private func carryOut(_ actions: [Succession.Action]) {
    for action in actions {
      switch action {
      case .start(let id, let isStandby): start(id, isStandby: isStandby)
      case .tell(let id, let order): tell(id, notice(order))
      case .kill(let id): hosts[id]?.process.kill()
      case .log(let text): log.write("warning", text)
      case .end(let code): end = code
      }
    }
  }

  private func notice(_ order: Succession.Order) -> Notice {
    switch order {
    case .freeze: return Notice(.freeze)
    case .yield: return Notice(.yield)
    case .takeOver: return Notice(.takeOver)
    case .leave: return Notice(.leave)
    case .drain: return Notice(.drain)
    case .predecessorGone: return Notice(.predecessorGone)
    case .goOn(let cause):
      pending = nil
      var notice = Notice(.goOn)
      notice.cause = cause
      return notice
    }
  }

  private func tell(_ id: Succession.HostID, _ notice: Notice) {
    guard let host = hosts[id] else { return }
    if !host.channel.send(JSON.encode(notice.json)) {
      log.write("error", "a host does not hear", ["notice": .string(notice.kind.rawValue)])
    }
  }

  private func start(_ id: Succession.HostID, isStandby: Bool) {
    let text = isStandby ? pending ?? configuration : configuration
    let file = SupervisorSystem.memoryFile(text)
    defer { if file >= 0 { SupervisorSystem.close(file) } }
    guard file >= 0, let page = CrashPageFile(), let (ours, theirs) = Channel.pair() else {
      return failed(id, "the system gives no descriptors")
    }
    defer { SupervisorSystem.close(theirs) }
    let started = ChildProcess.start(
      plan.executable, plan.arguments, environment: plan.environment,
      descriptors: [
        -1, 1, 2, theirs, page.descriptor, file, plan.publicListener, plan.adminListener, plan.homeLock,
      ], keepsFolder: true)
    switch started {
    case .failure(let failure): failed(id, "errno \(failure.number)")
    case .success(let process):
      hosts[id] = Host(
        process: process, channel: ours, page: page, started: .now, configuration: text,
        heartbeat: Heartbeat(plan.heartbeat, now: .now))
      var notice = Notice(.begin)
      notice.begin = Begin(
        isStandby: isStandby, loadsPlugins: !hasLoaded, restarts: succession.restarts,
        handOvers: succession.handOvers, crashes: crashes)
      tell(id, notice)
    }
  }

  private func failed(_ id: Succession.HostID, _ cause: String) {
    log.write("critical", "a host cannot be started: \(cause)")
    carryOut(succession.ended(id, .crashed(hasCulprit: false), .now))
  }
}

package import Kernel

/// Whose code a thread was in: one line of the crash page, with its names.
package struct CrashPlace: Sendable, Equatable {
  package var automation: String
  package var generation: Int
  /// Of the plugin's file, lower-case hex.
  package var sha256: String
  /// `handle`, `create` …
  package var call: String
  /// `GET /accounts/{id}`; nil outside a request, or when the page had no room for its name.
  package var route: String?
  package var requestID: String?

  package init(
    automation: String, generation: Int, sha256: String, call: String, route: String? = nil,
    requestID: String? = nil
  ) {
    self.automation = automation
    self.generation = generation
    self.sha256 = sha256
    self.call = call
    self.route = route
    self.requestID = requestID
  }

}

/// How a host process ended that was not asked to, and who did it, as far as it is known.
package struct CrashReport: Sendable, Equatable {
  /// Unique; orders as time does.
  package var id: String
  package var time: Timestamp
  /// `SIGSEGV`, `exit code 3`.
  package var cause: String
  /// What led to that, where somebody knows: the host gave no sign of life, a descriptor of its own was closed.
  package var reason: String?
  /// Where the fault was, for signals that have such.
  package var address: UInt64?
  /// The one whose code it was; nil when nobody can be named.
  package var culprit: CrashPlace?
  /// How the culprit is known: see ``CrashEvidence/verdict``.
  package var basis: String?
  /// Everybody whose code ran when nobody wrote down the end.
  package var suspects: [CrashPlace]
  /// `module+0x1234`, innermost first.
  package var frames: [String]
  package var processID: Int
  package var uptimeMilliseconds: Int

  package init(
    id: String, time: Timestamp, cause: String, reason: String? = nil, address: UInt64? = nil,
    culprit: CrashPlace? = nil, basis: String? = nil, suspects: [CrashPlace] = [], frames: [String] = [],
    processID: Int = 0,
    uptimeMilliseconds: Int = 0
  ) {
    self.id = id
    self.time = time
    self.cause = cause
    self.reason = reason
    self.address = address
    self.culprit = culprit
    self.basis = basis
    self.suspects = suspects
    self.frames = frames
    self.processID = processID
    self.uptimeMilliseconds = uptimeMilliseconds
  }

  /// The facts as log lines and the admin API tell them.
  package var json: [String: JSONValue] {
    var json: [String: JSONValue] = [
      "crash": .string(id), "time": .string(time.text), "cause": .string(cause),
      "backtrace": .array(frames.map(JSONValue.string)), "uptime_ms": .integer(Int64(uptimeMilliseconds)),
    ]
    if let reason { json["reason"] = .string(reason) }
    if let address { json["address"] = .string("0x" + String(address, radix: 16)) }
    if let culprit {
      json.merge(culprit.json) { first, _ in first }
      json["known_by"] = basis.map(JSONValue.string) ?? .null
    }
    if !suspects.isEmpty { json["inside"] = .array(suspects.map { .object($0.json) }) }
    return json
  }
}

extension CrashPlace {
  package var json: [String: JSONValue] {
    [
      "automation": .string(automation), "generation": .integer(Int64(generation)), "call": .string(call),
      "route": route.map(JSONValue.string) ?? .null, "request_id": requestID.map(JSONValue.string) ?? .null,
    ]
  }
}

/// What a crash page holds after its process is gone.
package struct CrashEvidence: Sendable {
  package enum Ending: Sendable, Equatable {
    /// The number, and a name such as `SIGSEGV`.
    case signal(Int32, name: String)
    case exit(Int32)

    package var text: String {
      switch self {
      case .signal(_, let name): name
      case .exit(let code): "exit code \(code)"
      }
    }
  }

  /// What the signal handler wrote.
  package struct Confession: Sendable {
    package var signal: Int32
    package var address: UInt64
    package var time: Timestamp
    /// What the thread was in.
    package var place: CrashPlace?
    /// The generation that used the thread before, without having been called on it.
    package var seen: CrashPlace?
    package var frames: [(module: String, offset: UInt64)]

    package init(
      signal: Int32, address: UInt64, time: Timestamp, place: CrashPlace?, seen: CrashPlace?,
      frames: [(module: String, offset: UInt64)]
    ) {
      self.signal = signal
      self.address = address
      self.time = time
      self.place = place
      self.seen = seen
      self.frames = frames
    }
  }

  package var ending: Ending
  package var confession: Confession?
  /// What every thread was in.
  package var inside: [CrashPlace]
  /// Every generation that the page names.
  package var known: [CrashPlace]
  /// What the event threads were in that did not come round when they were asked to.
  package var held: [CrashPlace]
  /// What led to the end, where somebody knows.
  package var reason: String?
  /// The supervisor gave the host up: the signal is its own, and whichever thread took it did nothing.
  package var isGivenUp = false

  package init(
    ending: Ending, confession: Confession?, inside: [CrashPlace], known: [CrashPlace],
    held: [CrashPlace] = []
  ) {
    self.ending = ending
    self.confession = confession
    self.inside = inside
    self.known = known
    self.held = held
  }

  /// Who did it, and how that is known: `inside` (the thread that crashed was in its code), `backtrace` (its file is in
  /// the backtrace), `own_thread` (the thread had called the host for it), `only_suspect` (nobody wrote the end down,
  /// or the host stumbled over what was broken before, and no other automation's code ran), `held_event_thread` (the host was given up, and it alone was what event threads
  /// did not come back from). nil: nobody can be named. A SIGKILL has no culprit: the system, or an operator, sent it.
  package var verdict: (culprit: CrashPlace, basis: String)? {
    if isGivenUp {
      if held.isEmpty { return CrashEvidence.onlyOne(inside).map { ($0, "only_suspect") } }
      return CrashEvidence.onlyOne(held).map { ($0, "held_event_thread") }
    }
    if case .signal(CrashEvidence.killed, _) = ending { return nil }
    if let confession {
      if let place = confession.place { return (place, "inside") }
      for frame in confession.frames {
        if let place = owner(of: frame.module) { return (place, "backtrace") }
      }
      if let seen = confession.seen { return (seen, "own_thread") }
      // What is broken was broken by somebody else, and is known.
      if reason == nil { return nil }
    }
    return CrashEvidence.onlyOne(inside).map { ($0, "only_suspect") }
  }

  private static func onlyOne(_ places: [CrashPlace]) -> CrashPlace? {
    guard let first = places.first, places.allSatisfy({ $0.automation == first.automation }) else {
      return nil
    }
    return first
  }

  /// Who may have done it, when nobody wrote the end down, or what was written names nobody: memory that runs out, or
  /// that somebody wrote over, ends whichever thread meets it.
  private var suspects: [CrashPlace] {
    if isGivenUp { return held.isEmpty ? inside : held }
    return confession == nil || verdict == nil ? inside : []
  }

  /// Whether ends like this one, together, may accuse somebody: see ``RepeatSuspect``.
  package var isOpen: Bool {
    if verdict != nil || suspects.isEmpty { return false }
    if case .signal(CrashEvidence.killed, _) = ending { return isGivenUp }
    return true
  }

  private static let killed: Int32 = 9

  /// The generation whose file a module is: `…/3-<sha256>.so`, or a copy of it.
  private func owner(of module: String) -> CrashPlace? {
    guard let name = module.split(separator: "/").last else { return nil }
    return known.first { place in
      !place.sha256.isEmpty && name.hasPrefix("\(place.generation)-\(place.sha256)")
    }
  }

  /// One line a frame; a function that calls itself over and over gets one line and a count.
  private static func text(_ frames: [(module: String, offset: UInt64)]) -> [String] {
    var lines: [(text: String, count: Int)] = []
    for frame in frames {
      let offset = "0x" + String(frame.offset, radix: 16)
      let text = frame.module.isEmpty ? offset : "\(frame.module)+\(offset)"
      if lines.last?.text == text {
        lines[lines.count - 1].count += 1
      } else {
        lines.append((text, 1))
      }
    }
    return lines.map { $0.count == 1 ? $0.text : "\($0.text) × \($0.count)" }
  }

  package func report(id: String, now: Timestamp, processID: Int, uptime: Duration) -> CrashReport {
    let verdict = verdict
    return CrashReport(
      id: id, time: confession?.time ?? now, cause: ending.text, reason: reason,
      address: confession.flatMap { $0.address == 0 ? nil : $0.address }, culprit: verdict?.culprit,
      basis: verdict?.basis, suspects: suspects,
      frames: CrashEvidence.text(confession?.frames ?? []), processID: processID,
      uptimeMilliseconds: Int(uptime.nanoseconds / 1_000_000))
  }
}

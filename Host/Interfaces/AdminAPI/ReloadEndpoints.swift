import Application
import Domain
import Kernel

// Reloads of several automations, canaries and recordings.

extension AdminApplication {
  // MARK: Several automations

  func reloadSet(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    var members = try Members(request.body, known: ["automations"])
    var set: [ChangeAutomation.Member] = []
    try members.each("automations", known: ["id", "path", "config", "sha256"] + Members.replay) {
      (item) throws(Problem) in
      guard let id = item.text("id", max: 63, required: true) else { return }
      let stored = try? ports.change.stored(id)
      if stored == nil, !request.caller.scopes.contains(where: { Scope.grants($0, AdminScope.write) }) {
        // Who may replace code may not bring an automation in.
        throw Problem(
          403, "access.scope_missing",
          "'\(id)' is not loaded: loading it needs the scope '\(AdminScope.write)'.",
          members: ["scope": .string(AdminScope.write)])
      }
      let path = item.text("path", max: 4096)
      if let path, !path.hasPrefix("/") {
        item.fault("path", "must be an absolute path on the host's machine")
      }
      let sha256 = item.text("sha256", max: 64)
      if let sha256, Digest256(hex: sha256) == nil { item.fault("sha256", "must be 64 hexadecimal digits") }
      if item.has("config"), item["config"]?.object == nil { item.fault("config", "must be an object") }
      guard let source = path ?? stored?.source else {
        if stored == nil { throw AdminApplication.notFound(id) }
        return item.fault("path", "is missing: '\(id)' came as an upload")
      }
      set.append(
        ChangeAutomation.Member(
          id, from: .path(source), expectedSHA256: sha256?.lowercased(),
          config: item["config"]?.object.map { JSON.encode(.object($0)) },
          replay: item.requiredReplay()))
    }
    try members.check()
    return answer(try ports.change.change(all: set))
  }

  func rollBackSet(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    var members = try Members(request.body, known: ["automations"])
    var set: [(id: String, number: Int?)] = []
    try members.each("automations", known: ["id", "generation"]) { (item) throws(Problem) in
      let number = item.whole("generation", in: 1...Int(Int32.max))
      if let id = item.text("id", max: 63, required: true) { set.append((id, number)) }
    }
    try members.check()
    return answer(try ports.change.rollBack(all: set))
  }

  private func answer(_ report: ChangeSetReport) -> AdminAnswer {
    var answer = AdminAnswer(report.json)
    answer.target = report.automations.map(\.automation).joined(separator: ",")
    answer.details = [
      "automations": .array(
        report.automations.map { one in
          [
            "id": .string(one.automation), "generation": .integer(Int64(one.generation)),
            "version": .string(one.version), "sha256": .string(one.sha256),
          ]
        })
    ]
    return answer
  }

  // MARK: Replays

  /// The replay that the query requires: an upload's body has no room for it.
  func replayOption(_ request: AdminRequest) throws(Problem) -> RequiredReplay? {
    let (name, writes) = (request.query["require_replay"], request.query["replay_writes"])
    guard [nil, "true", "false"].contains(writes), name != nil || writes != "true" else {
      request.abandonUpload()
      throw Problem(
        400, "request.query_parameter_invalid",
        "'replay_writes' is true or false, and goes with 'require_replay'.")
    }
    return name.map { RequiredReplay($0, writes: writes == "true") }
  }

  // MARK: Canaries

  /// The canary that the query asks for: an upload's body has no room for it.
  func canaryOption(_ request: AdminRequest) throws(Problem) -> CanaryRule? {
    guard let text = request.query["canary"] else { return nil }
    do throws(Problem) {
      var members = try Members(.json(try StrictJSON.parse(text.utf8.span)), known: CanaryRule.members)
      let rule = CanaryRule(&members)
      try members.check()
      return rule
    } catch {
      request.abandonUpload()
      throw Problem(
        422, "request.query_parameter_invalid", "'canary': \(error.detail)", members: error.members)
    }
  }

  func decideCanary(_ request: AdminRequest, promoting: Bool) throws(Problem) -> AdminAnswer {
    try refuseBody(request)
    return answer(try ports.change.decideCanary(of: request.parameter("id"), promoting: promoting))
  }

  func answer(_ report: CanaryReport, status: Int = 200) -> AdminAnswer {
    var answer = AdminAnswer(report.json, status: status)
    answer.target = report.automation
    answer.details = report.facts
    return answer
  }

  // MARK: Recordings

  func startRecording(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    var members = try Members(request.body, optional: true, known: ["seconds", "max", "redact", "headers"])
    var options = RecordingOptions()
    let limits = ports.recordings.limits
    if let seconds = members.whole("seconds", in: 1...limits.seconds) { options.seconds = seconds }
    if let max = members.whole("max", in: 1...limits.exchanges) { options.max = max }
    if members.has("redact") { options.redact = members.texts("redact", count: 0...100, max: 256) }
    if members.has("headers") {
      options.headers = members.texts("headers", count: 0...20, max: 256).map { $0.lowercased() }
    }
    try members.check()
    return answer(try ports.recordings.start(request.parameter("id"), options), status: 201)
  }

  func stopRecording(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    try refuseBody(request)
    return answer(try ports.recordings.stop(request.parameter("id")), status: 200)
  }

  private func answer(_ report: RecordTraffic.Report, status: Int) -> AdminAnswer {
    var answer = AdminAnswer(report.json, status: status)
    answer.target = report.automation
    answer.details = ["file": .string(report.name), "recorded": .integer(Int64(report.recorded))]
    return answer
  }
}

extension CanaryRule {
  static let members = [
    "percent", "share", "header", "seconds", "min_requests", "max_error_margin", "max_mean_ratio",
    "max_p99_ratio", "slack_ms", "when_too_few",
  ]

  /// What an admin's document says, over the defaults. Its faults are in `members`.
  init(_ members: inout Members) {
    self.init()
    if let header = members.text("header", max: 64) {
      let name = header.lowercased()
      if name.isEmpty
        || !name.utf8.allSatisfy({ $0 == 0x2D || $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x7A })
      {
        members.fault("header", "must be the name of a header: letters, digits and '-'")
      }
      self.header = name
      // With a header and no share, the header alone decides.
      percent = 0
    }
    if let percent = members.whole("percent", in: 0...99) { self.percent = percent }
    if percent == 0, header == nil { members.fault("percent", "must be 1 to 99 where no header is named") }
    if let text = members.text("share", max: 16) {
      if let share = Share(rawValue: text) {
        self.share = share
      } else {
        members.fault("share", "must be 'key' or 'request'")
      }
    }
    if let seconds = members.whole("seconds", in: 1...86_400) { self.seconds = seconds }
    if let least = members.whole("min_requests", in: 1...1_000_000) { minRequests = least }
    if let margin = members.number("max_error_margin", in: 0...1) { maxErrorMargin = margin }
    if let ratio = members.number("max_mean_ratio", in: 1...1000) { maxMeanRatio = ratio }
    if let ratio = members.number("max_p99_ratio", in: 1...1000) { maxP99Ratio = ratio }
    if let slack = members.number("slack_ms", in: 0...60_000) { slackMilliseconds = slack }
    if let text = members.text("when_too_few", max: 16) {
      if let outcome = Outcome(rawValue: text) {
        whenTooFew = outcome
      } else {
        members.fault("when_too_few", "must be 'rollback' or 'promote'")
      }
    }
  }
}

extension Members {
  static let replay = ["require_replay", "replay_writes"]

  mutating func requiredReplay() -> RequiredReplay? {
    let (name, writes) = (text("require_replay", max: 255), flag("replay_writes") ?? false)
    if writes, !has("require_replay") { fault("replay_writes", "goes with 'require_replay'") }
    return name.map { RequiredReplay($0, writes: writes) }
  }

  mutating func number(_ name: String, in range: ClosedRange<Double>) -> Double? {
    guard let value = self[name] else { return nil }
    let number: Double? =
      switch value {
      case .integer(let whole): Double(whole)
      case .number(let number): number
      default: nil
      }
    guard let number, range.contains(number) else {
      fault(name, "must be a number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }
}

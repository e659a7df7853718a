import Application
import Domain
import Kernel

// The host itself: quarantine, audit trail, log level.

extension AdminApplication {
  // MARK: Quarantine

  func listQuarantine() throws(Problem) -> AdminAnswer {
    let items = try ports.catalog.quarantine().map { record -> JSONValue in
      [
        "sha256": .string(record.sha256), "code": .string(record.code), "detail": .string(record.detail),
        "since": .string(record.since.text),
      ]
    }
    return AdminAnswer(["items": .array(items)] as JSONValue)
  }

  func releaseQuarantine(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    try refuseBody(request)
    let sha256 = request.parameter("sha256").lowercased()
    guard try ports.catalog.release(sha256) else {
      throw Problem(404, "quarantine.not_found", "No file with this SHA-256 is in quarantine.")
    }
    return AdminAnswer(["sha256": .string(sha256), "released": true] as JSONValue)
  }

  // MARK: Audit

  func readAudit(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    let limit = try pageLimit(request)
    guard let after = Int64(request.query["after"] ?? "0"), after >= 0 else {
      throw Problem(400, "request.query_parameter_invalid", "'after' is the 'seq' of a row, or 0.")
    }
    let rows = try ports.audit.read(after: after, limit: limit)
    let next = rows.count == limit ? rows.last?["seq"] : nil
    return AdminAnswer(["items": .array(rows), "next": next ?? .null] as JSONValue)
  }

  func verifyAudit(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    try refuseBody(request)
    let verification = try ports.audit.verify()
    var answer = AdminAnswer(verification.json)
    answer.details = ["rows": .integer(verification.rows), "last_hash": .string(verification.lastHash)]
    return answer
  }

  // MARK: The host process

  func upgradeHost(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    try refuseBody(request)
    guard let host = ports.host else {
      throw Problem(503, "host.unsupervised", "This host has no supervisor that could start another.")
    }
    return AdminAnswer(try host.handOver("an admin asked for it").json)
  }

  func listCrashes() throws(Problem) -> AdminAnswer {
    let crashes = try ports.crashes?.crashes(of: nil, limit: limits.maxPage) ?? []
    return AdminAnswer(["items": .array(crashes.map { .object($0.json) })] as JSONValue)
  }

  // MARK: Log level, metrics

  func logLevel() -> AdminAnswer { AdminAnswer(["level": .string(ports.log.level.name)] as JSONValue) }

  func changeLogLevel(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    var members = try Members(request.body, known: ["level"])
    let name = members.text("level", max: 16, required: true)
    let level = name.flatMap(LogLevel.init(name:))
    if name != nil, level == nil {
      members.fault("level", "must be one of \(LogLevel.allCases.map(\.name).joined(separator: ", "))")
    }
    try members.check()
    let before = ports.log.level
    if let level { ports.log.level = level }
    var answer = logLevel()
    answer.details = ["before": .string(before.name), "level": .string(ports.log.level.name)]
    return answer
  }

  /// For a listener whose metrics need a key.
  func metrics() -> AdminAnswer {
    var answer = AdminAnswer(JSONValue.null)
    answer.body = ports.meter.exposition()
    answer.contentType = AdminApplication.metricsType
    return answer
  }
}

package import Kernel

/// What one admin endpoint does, takes and answers: what its OpenAPI document says.
///
/// Beside the table of endpoints, and exhaustive as that is: an endpoint without a page here does not compile.
package struct AdminManual: Sendable {
  package var summary: String
  package var description: String
  /// JSON Schema of the body; nil: there is none.
  package var body: JSONValue?
  package var isBodyRequired = true
  /// Whether the body may be a plugin's file in the JSON's place.
  package var takesUpload = false
  /// Each status of a success, with the schema of its body.
  package var answers: [(status: Int, schema: JSONValue)]
  package var contentType = "application/json"
  /// Problems beside those that every endpoint may answer.
  package var faults: [(status: Int, codes: String)] = []

  fileprivate init(
    _ summary: String, _ description: String = "", body: JSONValue? = nil, status: Int = 200,
    answer: JSONValue, faults: [(status: Int, codes: String)] = []
  ) {
    self.summary = summary
    self.description = description
    self.body = body
    answers = [(status, answer)]
    self.faults = faults
  }

  fileprivate func bodyOptional() -> AdminManual {
    var copy = self
    copy.isBodyRequired = false
    return copy
  }

  fileprivate func orUpload() -> AdminManual {
    var copy = self
    copy.takesUpload = true
    return copy
  }

  fileprivate func or(_ status: Int, _ schema: JSONValue) -> AdminManual {
    var copy = self
    copy.answers.append((status, schema))
    return copy
  }
}

extension AdminEndpoint {
  package var manual: AdminManual {
    typealias S = AdminSchemas
    return switch self {
    case .live: AdminManual("Whether the host lives", answer: S.health)
    case .ready:
      AdminManual(
        "Whether the host takes requests",
        "503 with the same body, and what is wrong in `failures`, when not.",
        answer: S.health)
    case .metrics: metricsManual
    case .listAutomations: AdminManual("List the automations", answer: S.items(S.automation))
    case .showAutomation:
      AdminManual(
        "Show one automation", "Its routes, generations, crashes, and what it uses.", answer: S.automation,
        faults: [S.noAutomation])
    case .followCalls:
      AdminManual(
        "Follow the calls of one automation",
        "Rows of the audit trail after a place, oldest first. Without `after`: none, and the place where it ends now.",
        answer: S.object(["items": S.rows, "next": S.count], required: ["items", "next"]),
        faults: [S.noAutomation])
    case .loadAutomation: loadManual
    case .reloadAutomation: reloadManual
    case .rollBackAutomation:
      AdminManual(
        "Go back to an earlier generation", "Without `generation`: the one before.",
        body: S.closed(["generation": S.positive]), answer: S.change, faults: S.changeFaults
      ).bodyOptional()
    case .unloadAutomation:
      AdminManual("Unload an automation", answer: S.change, faults: S.changeFaults)
    case .reloadSet:
      AdminManual(
        "Reload several automations in one step", "All or none. Those that are new are loaded.",
        body: S.set([
          "path": S.path, "config": S.free, "sha256": S.sha256, "require_replay": S.recordingName,
          "replay_writes": S.replayWrites,
        ]),
        answer: S.changes, faults: S.changeFaults)
    case .rollBackSet:
      AdminManual(
        "Go back with several automations in one step", body: S.set(["generation": S.positive]),
        answer: S.changes, faults: S.changeFaults)
    case .promoteCanary:
      AdminManual("Let the canary take everything", answer: S.canaryReport, faults: S.changeFaults)
    case .abortCanary: AdminManual("End the canary", answer: S.canaryReport, faults: S.changeFaults)
    case .startRecording: recordingManual
    case .stopRecording:
      AdminManual(
        "End a recording", answer: S.recording, faults: [(404, "automation.not_found, recording.none")])
    case .readConfiguration:
      AdminManual(
        "Read an automation's configuration",
        answer: S.object(
          ["automation": S.text, "generation": S.count, "config": S.free, "schema": true],
          required: ["automation", "generation", "config"]), faults: [S.noAutomation])
    case .changeConfiguration:
      AdminManual(
        "Change an automation's configuration",
        "The whole of it; a new generation of the same file takes over.",
        body: ["type": "object"], answer: S.change, faults: S.changeFaults)
    case .showUsage: AdminManual("What each automation uses", answer: S.items(S.free))
    case .listQuarantine:
      AdminManual(
        "List the files in quarantine",
        answer: S.items(S.object(["sha256": S.text, "code": S.text, "detail": S.text, "since": S.time])))
    case .releaseQuarantine:
      AdminManual(
        "Release a file from quarantine", answer: S.object(["sha256": S.text, "released": S.flag]),
        faults: [(404, "quarantine.not_found")])
    case .issueKey, .listKeys, .revokeKey, .rotateKey, .readAudit, .verifyAudit, .readLogLevel,
      .changeLogLevel,
      .upgradeHost, .listCrashes, .describe:
      hostManual
    }
  }

  private var hostManual: AdminManual {
    typealias S = AdminSchemas
    return switch self {
    case .issueKey: issueManual
    case .listKeys: AdminManual("List keys", "Never their secrets.", answer: S.page(S.key))
    case .revokeKey: AdminManual("Revoke a key", answer: S.key, faults: [(404, "key.not_found")])
    case .rotateKey:
      AdminManual(
        "Replace a key", "The successor's text is in this answer, once. The old key ends after `grace_s`.",
        body: S.closed(["grace_s": S.whole(0, 2_678_400)]), status: 201, answer: S.issuedKey,
        faults: [(404, "key.not_found"), (409, "key.revoked"), (403, "access.scope_escalation")]
      ).bodyOptional()
    case .readAudit:
      AdminManual(
        "Read the audit trail",
        "A row of a request has, where it is so, `dry_run` (what the handler wrote was undone), `replayed` (answered from what an idempotency key keeps: the handler did not run) and `job` (the call became that job, or asked for it). When a job ends, a row like its request's has `job_end` too: `ended` (its answer's `status`, also when its deadline or a drain made it), `cancelled`, or `lost` with the host; `duration_us` counts from the request, whose `request_id` it has.",
        answer: S.page(S.free))
    case .verifyAudit:
      AdminManual(
        "Verify the audit trail", answer: S.object(["rows": S.count, "last_hash": S.text]),
        faults: [(409, "audit.broken")])
    case .readLogLevel: AdminManual("Read the log level", answer: S.logLevel)
    case .changeLogLevel:
      AdminManual("Change the log level", body: S.logLevel, answer: S.logLevel)
    case .upgradeHost:
      AdminManual(
        "Hand over to a fresh host", "Waits until it serves.", answer: S.object(["total_ms": S.number]),
        faults: [(409, "host.handing_over, host.hand_over_failed"), (504, "host.hand_over_failed")])
    case .listCrashes: AdminManual("List the crashes of hosts", answer: S.items(S.free))
    case .describe: AdminManual("Describe this API", "This document. Needs no key.", answer: S.free)
    default: preconditionFailure("\(rawValue) has no page in the manual")
    }
  }

  private var metricsManual: AdminManual {
    var manual = AdminManual("Metrics, for Prometheus", answer: ["type": "string"])
    manual.contentType = "text/plain"
    return manual
  }

  private var loadManual: AdminManual {
    typealias S = AdminSchemas
    return AdminManual(
      "Load an automation",
      "Names a file on the host's machine, or brings it: as `application/octet-stream`, with its hash in "
        + "`X-Content-SHA256` and its configuration as base64url in `X-Automation-Config`.",
      body: S.closed(["path": S.path, "config": S.free, "sha256": S.sha256], required: ["path"]), status: 201,
      answer: S.change, faults: S.changeFaults
    ).orUpload()
  }

  private var reloadManual: AdminManual {
    typealias S = AdminSchemas
    return AdminManual(
      "Reload an automation",
      "From the file it was loaded from, one that is named, or one that is brought. With `canary`, the new generation "
        + "takes a part of the requests first: then 202.",
      body: S.closed([
        "path": S.path, "config": S.free, "sha256": S.sha256, "require_replay": S.recordingName,
        "replay_writes": S.replayWrites, "canary": S.canary,
      ]), answer: S.change, faults: S.changeFaults
    ).bodyOptional().orUpload().or(202, S.canaryReport)
  }

  private var recordingManual: AdminManual {
    typealias S = AdminSchemas
    return AdminManual(
      "Record an automation's calls", "What agents send and get, without what `redact` names.",
      body: S.closed([
        "seconds": S.positive, "max": S.positive,
        "redact": ["type": "array", "items": S.text, "maxItems": 100],
        "headers": ["type": "array", "items": S.text, "maxItems": 20],
      ]), status: 201, answer: S.recording,
      faults: [S.noAutomation, (409, "recording.running"), (422, "recording.invalid")]
    ).bodyOptional()
  }

  private var issueManual: AdminManual {
    typealias S = AdminSchemas
    return AdminManual(
      "Issue a key", "Its text is in this answer, once. It can hold only what the caller holds.",
      body: S.closed(
        [
          "principal": ["type": "string", "minLength": 1, "examples": ["agent-7"]], "name": S.text,
          "scopes": [
            "type": "array", "items": S.text, "minItems": 1, "maxItems": 64, "examples": [["accounts:read"]],
          ],
          "limit": S.closed(
            ["requests": S.positive, "per_s": S.whole(1, 2_678_400)], required: ["requests", "per_s"]),
          "expires_in_s": S.positive,
        ], required: ["principal", "scopes"]), status: 201, answer: S.issuedKey,
      faults: [(403, "access.scope_escalation"), (503, "key.table_full")])
  }

  /// JSON Schema of an object with the query parameters; nil without any.
  package var querySchema: JSONValue? {
    guard !row.query.isEmpty else { return nil }
    let schemas = row.query.map { ($0, AdminSchemas.parameter($0, of: self)) }
    return AdminSchemas.closed(Dictionary(uniqueKeysWithValues: schemas))
  }
}

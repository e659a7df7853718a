import Kernel

/// The schemas that pages of ``AdminManual`` share. What is answered may gain members: only bodies are closed.
enum AdminSchemas {
  static let text: JSONValue = ["type": "string"]
  static let flag: JSONValue = ["type": "boolean"]
  static let number: JSONValue = ["type": "number"]
  static let count: JSONValue = ["type": "integer", "minimum": 0]
  static let positive: JSONValue = ["type": "integer", "minimum": 1]
  static let free: JSONValue = ["type": "object"]
  static let time: JSONValue = ["type": "string", "format": "date-time"]
  static let rows: JSONValue = ["type": "array", "items": free]
  static let textOrNull: JSONValue = ["type": ["string", "null"]]
  static let path: JSONValue = [
    "type": "string", "pattern": "^/", "maxLength": 4096, "description": "Absolute, on the host's machine.",
    "examples": ["/srv/plugins/accounts.so"],
  ]
  static let recordingName: JSONValue = [
    "type": "string", "maxLength": 255,
    "description":
      "A recording that the new file has to answer as the old one does; else 409 `replay.differs`.",
  ]
  static let replayWrites: JSONValue = [
    "type": "boolean", "default": false,
    "description":
      "With `require_replay`: replay its calls that change something, too, on copies of the records.",
  ]
  static let sha256: JSONValue = [
    "type": "string", "pattern": "^[0-9A-Fa-f]{64}$", "description": "What the file has to hash to.",
  ]

  static func whole(_ least: Int64, _ most: Int64) -> JSONValue {
    ["type": "integer", "minimum": .integer(least), "maximum": .integer(most)]
  }

  static func object(_ properties: [String: JSONValue], required: [String] = []) -> JSONValue {
    var schema: [String: JSONValue] = ["type": "object", "properties": .object(properties)]
    if !required.isEmpty { schema["required"] = .array(required.map(JSONValue.string)) }
    return .object(schema)
  }

  static func closed(_ properties: [String: JSONValue], required: [String] = []) -> JSONValue {
    var schema = object(properties, required: required).object ?? [:]
    schema["additionalProperties"] = false
    return .object(schema)
  }

  static func items(_ item: JSONValue) -> JSONValue {
    object(["items": ["type": "array", "items": item]], required: ["items"])
  }

  static func page(_ item: JSONValue) -> JSONValue {
    object(
      ["items": ["type": "array", "items": item], "next": ["type": ["string", "integer", "null"]]],
      required: ["items", "next"])
  }

  static func set(_ members: [String: JSONValue]) -> JSONValue {
    let one = closed(members.merging(["id": text]) { mine, _ in mine }, required: ["id"])
    return closed(["automations": ["type": "array", "minItems": 1, "items": one]], required: ["automations"])
  }

  // MARK: Faults

  static let noAutomation: (status: Int, codes: String) = (404, "automation.not_found")
  static let changeFaults: [(status: Int, codes: String)] = [
    (404, "automation.not_found, automation.no_such_generation"),
    (
      409,
      "automation.busy, automation.exists, automation.canary_running, plugin.plan.conflicts, plugin.quarantined …"
    ),
    (
      422,
      "request.body_invalid, automation.config_invalid, plugin.manifest.invalid, plugin.file.hash_mismatch …"
    ),
    (502, "replay.host_lost"), (504, "plugin.timeout"),
  ]

  // MARK: What is shown

  static let health = object(
    [
      "status": ["type": "string", "enum": ["live", "ready", "not_ready"]], "failures": free,
      "degraded": [
        "type": "object",
        "description":
          "Automations that are not as an admin left them, by id: `stand_in` (an earlier generation serves), `crashed` and `failed` (left out).",
      ],
    ],
    required: ["status"])

  static let automation = object(
    [
      "id": text, "state": text, "title": text, "version": text, "generation": count, "sha256": text,
      "route_count": count, "requests_inside": count, "isolation": text, "runners": rows, "draining": rows,
      "stands_in_for": [
        "type": ["integer", "null"], "minimum": 1,
        "description":
          "The generation in whose place this one serves, because it crashed the host too often; null where there is none. A change of the automation ends it.",
      ],
    ], required: ["id", "state"])

  static let change = object(
    [
      "automation": text, "generation": count, "previous": count, "version": text, "sha256": text,
      "routes": count,
      "migration": ["type": "array", "items": text], "draining": flag, "steps_ms": free, "total_ms": number,
    ], required: ["automation", "generation", "version", "sha256"])

  static let changes = object(
    ["automations": ["type": "array", "items": change], "snapshot": count, "total_ms": number],
    required: ["automations"])

  static let canary = closed([
    "percent": whole(0, 99), "share": ["type": "string", "enum": ["key", "request"]], "header": text,
    "seconds": whole(1, 86_400), "min_requests": whole(1, 1_000_000), "max_error_margin": number,
    "max_mean_ratio": number, "max_p99_ratio": number, "slack_ms": number,
    "when_too_few": ["type": "string", "enum": ["rollback", "promote"]],
  ])

  static let canaryReport = object(
    ["state": text, "automation": text, "generation": count, "previous": count, "new": free, "old": free],
    required: ["state", "automation", "generation"])

  static let recording = object(
    ["state": text, "automation": text, "name": text, "file": text, "recorded": count, "bytes": count],
    required: ["state", "automation", "name"])

  private static let keyMembers: [String: JSONValue] = [
    "id": text, "principal": text, "name": text, "scopes": ["type": "array", "items": text],
    "limit": ["type": ["object", "null"]], "created": time, "expires": textOrNull, "revoked": textOrNull,
    "last_used": textOrNull, "state": ["type": "string", "enum": ["active", "revoked", "expired"]],
  ]
  static let key = object(keyMembers, required: ["id", "principal", "scopes", "state"])
  static let issuedKey = object(
    keyMembers.merging([
      "key": ["type": "string", "description": "The key itself: shown here, and never again."]
    ]) {
      mine, _ in mine
    }, required: ["id", "principal", "scopes", "key"])

  static let logLevel = closed(
    ["level": ["type": "string", "enum": .array(LogLevel.allCases.map { .string($0.name) })]],
    required: ["level"])

  // MARK: Query parameters

  static func parameter(_ name: String, of endpoint: AdminEndpoint) -> JSONValue {
    switch name {
    case "after" where endpoint == .listKeys:
      ["type": "string", "description": "The `next` of the page before."]
    case "after": ["type": "integer", "minimum": 0, "description": "The `next` of the answer before, or 0."]
    case "limit": ["type": "integer", "minimum": 1, "description": "Items of the page."]
    case "wait_ms":
      ["type": "integer", "minimum": 0, "maximum": 2000, "description": "How long to wait for a call."]
    case "replace":
      ["type": "boolean", "description": "Whether an automation of that name may be there already."]
    case "isolation":
      ["type": "string", "pattern": "^(none|process(:[0-9]+)?)$", "description": "Where the code runs."]
    case "canary": ["type": "string", "description": "As the body's member `canary`, for an upload: JSON."]
    case "require_replay": recordingName
    case "replay_writes": replayWrites
    default: text
    }
  }
}

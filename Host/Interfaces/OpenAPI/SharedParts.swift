import Application
import Kernel

// What every operation refers to: the problem, the answers that the host gives in a handler's place, headers, and how
// a key is sent.

enum SharedParts {
  /// The name of a shared response: its reason phrase, without blanks.
  static func name(of status: Int) -> String {
    status == 202 ? "Accepted" : Problem.title(of: status).filter { $0 != " " }
  }

  /// Every operation refers to a dozen of them, so what is referred to is spelled once.
  private static let references = Dictionary(
    uniqueKeysWithValues: ([202] + Array(400...505)).map { status -> (Int, JSONValue) in
      (status, ["$ref": .string("#/components/responses/\(name(of: status))")])
    })

  /// `status` is one of a problem, or 202.
  static func reference(to status: Int) -> JSONValue { references[status] ?? .null }

  /// What the host says with a status: when, and by which codes.
  static func meaning(of status: Int) -> String {
    switch status {
    case 202: "The call goes on as a job: fetch its answer from `Location`, with the same key."
    case 400:
      "The request is malformed, or a parameter is not what its schema says: `request.path_parameter_invalid`, "
        + "`request.query_parameter_invalid`, `request.json_invalid` and others. Do not send it again unchanged."
    case 401:
      "No valid key came: `access.key_missing`, `access.key_unknown`, `access.key_expired`, `access.key_revoked`."
    case 403: "The key lacks the scope that is needed: `access.scope_missing`."
    case 404:
      "Nothing is there: no route has this path (any more), `route.not_found`, or what it names does not exist."
    case 408: "The request came too slowly: `http.timeout`."
    case 413:
      "The body is too large, `http.body_too_large`; or the answer is, for what the caller, its key or the host allows: "
        + "`answer.too_large`, which says what to do, and in `carried_out` whether a write was carried out."
    case 414: "The path and query are too long: `http.target_too_long`."
    case 415: "The body is not `application/json`, or is coded: `request.media_type`, `http.content_coding`."
    case 409:
      "A call with this idempotency key is under way, or how it ended is not known: `idempotency.in_progress` …"
    case 417: "An `Expect` that is not met: `http.expectation`."
    case 421: "The `Host` is none that this listener answers to: `admin.host_refused`."
    case 422:
      "The body is not what its schema says, `request.body_invalid` (`errors` lists where and why); or the idempotency key "
        + "was another call's, `idempotency.key_reused`; or the route has no dry run, `dry_run.unsupported`."
    case 428:
      "Nothing was done yet: make the same call again with the `confirm` of this answer as `X-Confirm`."
    case 429: "The limit of requests is reached: `limit.exceeded`. Wait as long as `Retry-After` says."
    case 431: "The headers are too many or too large: `http.head_too_large`, `http.too_many_headers`."
    case 500:
      "The handler failed, or its answer was withheld: `plugin.failed`, `plugin.answer_invalid` and others."
    case 501:
      "The method or the transfer coding is not known: `request.method_unknown`, `http.unknown_coding`."
    case 502: "The process that runs the handler ended in the middle of the call: `plugin.crashed`."
    case 503:
      "Not now: the automation is being replaced, overloaded or out of service, keys cannot be checked, "
        + "`access.unavailable`, or the host is stopping. Send it again after `Retry-After`; "
        + "where there is none, read what it changes first, for it may have been carried out."
    case 504: "The handler did not answer in time: `handler.timeout`. What it began may have happened."
    case 505: "The version of HTTP is not known: `http.version`."
    default: Problem.title(of: status) + "."
    }
  }

  /// Problem details (RFC 9457) as the host writes them. A plugin's own have the same members, and may have others.
  static let problem: JSONValue = [
    "type": "object", "description": "Problem details (RFC 9457).",
    "properties": [
      "type": ["type": "string", "description": "`urn:council:problem:` and the code."],
      "title": ["type": "string", "description": "The reason phrase of the status."],
      "status": ["type": "integer", "minimum": 400, "maximum": 599],
      "code": [
        "type": "string", "description": "Stable: what programs decide by.", "example": "access.key_missing",
      ],
      "detail": ["type": "string", "description": "What happened, and what to do next."],
      "retry_after_s": [
        "type": "integer", "minimum": 0, "description": "Seconds after which a retry makes sense.",
      ],
      "errors": [
        "type": "array", "description": "Every fault that was found.",
        "items": [
          "type": "object",
          "properties": [
            "pointer": ["type": "string", "description": "Where, as a JSON Pointer (RFC 6901)."],
            "keyword": ["type": "string"], "message": ["type": "string"],
            "reason": ["type": "string"],
          ],
        ],
      ],
    ],
    "required": ["status", "code", "detail"],
  ]

  private static func header(_ description: String, _ schema: JSONValue = ["type": "string"]) -> JSONValue {
    ["description": .string(description), "schema": schema]
  }

  static let headers: JSONValue = [
    "XRequestId": header("Names the request in the host's log and audit trail."),
    "Traceparent": header("The trace of the request (W3C Trace Context)."),
    "RateLimitPolicy": header("The limit that holds: `\"default\";q=200;w=60`."),
    "RateLimit": header("What is left of it: `\"default\";r=50;t=30`."),
    "IdempotencyReplayed": header("`true`: what came of an earlier call with this idempotency key."),
    "IdempotencyExpires": header("Until when the idempotency key stands for this call."),
    "Link": header("`<…>; rel=\"next\"`: the next page, where there is one."),
    "AnswerTruncated": header("Which limit made the page shorter than it was asked for."),
    "PreferenceApplied": header("What of `Prefer` was heeded."),
    "JobLocation": header("Where the answer will be: `/jobs/{id}`."),
    "RetryAfter": header("Seconds to wait before the next try.", ["type": "integer", "minimum": 0]),
    "ETag": header("The version of what was answered, where there is one."),
    "Deprecation": header("Since when the route is deprecated (RFC 9745)."),
    "Sunset": header("When the route stops answering (RFC 8594)."),
    "WWWAuthenticate": header("How to show a key."),
  ]

  private static func reference(_ name: String) -> JSONValue {
    ["$ref": .string("#/components/headers/\(name)")]
  }

  /// What an answer of this status carries; nothing where a profile wants none.
  static func headers(
    of status: Int?, isDeprecated: Bool = false, mayBeReplayed: Bool = false, isList: Bool = false
  ) -> JSONValue {
    var all: [String: JSONValue] = [
      "X-Request-Id": reference("XRequestId"), "traceparent": reference("Traceparent"),
      "RateLimit-Policy": reference("RateLimitPolicy"), "RateLimit": reference("RateLimit"),
    ]
    if mayBeReplayed {
      all["Idempotency-Replayed"] = reference("IdempotencyReplayed")
      all["Idempotency-Expires"] = reference("IdempotencyExpires")
    }
    if isList {
      all["Link"] = reference("Link")
      all["Answer-Truncated"] = reference("AnswerTruncated")
    }
    if isDeprecated {
      all["Deprecation"] = reference("Deprecation")
      all["Sunset"] = reference("Sunset")
    }
    switch status {
    case 202?:
      all["Location"] = reference("JobLocation")
      all["Retry-After"] = reference("RetryAfter")
      all["Preference-Applied"] = reference("PreferenceApplied")
    case nil:
      all["ETag"] = reference("ETag")
      all["Preference-Applied"] = reference("PreferenceApplied")
    case 401?: all["WWW-Authenticate"] = reference("WWWAuthenticate")
    case 429?, 503?, 504?: all["Retry-After"] = reference("RetryAfter")
    case .some(let other):
      if (200..<300).contains(other) {
        all["ETag"] = reference("ETag")
        all["Preference-Applied"] = reference("PreferenceApplied")
      }
    }
    return .object(all)
  }

  static let problemContent: JSONValue = [
    "application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]
  ]

  static func response(_ status: Int) -> JSONValue {
    let running: JSONValue = ["application/json": ["schema": OwnManual.runningJob]]
    return [
      "description": .string(meaning(of: status)), "headers": headers(of: status),
      "content": status == 202 ? running : problemContent,
    ]
  }

  // MARK: Parameters

  /// One of the host's query parameters.
  static func parameter(_ parameter: HostParameter) -> JSONValue {
    let schema = parameter.schema
    return [
      "name": .string(parameter.rawValue), "in": "query", "description": schema["description"] ?? "",
      "schema": schema.without("description"),
    ]
  }

  /// What `Prefer` may say (RFC 7240), with a name for the parameter that says so.
  static func prefer(_ preferences: Described.Preferences) -> (name: String, parameter: JSONValue) {
    var (name, parts) = ("Prefer", [String]())
    if preferences.contains(.dryRun) {
      name += "DryRun"
      parts.append("`dry-run`: answers what would happen, and changes nothing.")
    }
    if preferences.contains(.async) {
      name += "Async"
      parts.append("`respond-async`: is answered 202 at once, and the call goes on as a job.")
    }
    parts.append(
      "`max-chars=…`, `max-bytes=…`, `max-tokens=…`: as the query parameters. What is not understood is ignored."
    )
    return (
      name,
      [
        "name": "Prefer", "in": "header", "description": .string(parts.joined(separator: " ")),
        "schema": ["type": "string"],
      ]
    )
  }

  static let ifNoneMatch: JSONValue = [
    "name": "If-None-Match", "in": "header",
    "description": "The `ETag` of an earlier answer: 304 if it still holds.", "schema": ["type": "string"],
  ]

  static let securitySchemes: JSONValue = [
    "bearer": ["type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <key>`."],
    "apiKey": ["type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."],
  ]

  /// A key, either way. 3.1 has a place for what the key must hold.
  static func security(
    _ key: OwnRoute.Key, _ scopes: [String], _ version: OpenAPIVersion
  ) -> JSONValue {
    switch key {
    case .none: return []
    case .optional: return [[:], ["bearer": []], ["apiKey": []]]
    case .required: break
    }
    let roles: [JSONValue] = version == .v31 && scopes.count == 1 ? [.string(scopes[0])] : []
    return [["bearer": .array(roles)], ["apiKey": .array(roles)]]
  }
}

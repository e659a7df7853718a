package import Domain
package import Kernel

/// What the host itself does by name: looks at a job, or ends one.
///
/// Who calls by name (MCP, functions) has these two in the place of `GET` and `DELETE /jobs/{id}`. `jobs` is a root of the
/// host's own, so no automation's operation can have such a name.
package enum JobOperation: String, CaseIterable, Sendable {
  case get = "jobs_get"
  case cancel = "jobs_cancel"

  package init?(_ name: Span<UInt8>) {
    if name.isEqual(to: "jobs_get") {
      self = .get
    } else if name.isEqual(to: "jobs_cancel") {
      self = .cancel
    } else {
      return nil
    }
  }

  package var name: String { rawValue }

  package var title: String {
    switch self {
    case .get: "Get the answer of a job"
    case .cancel: "Cancel a job"
    }
  }

  package var text: String {
    switch self {
    case .get:
      "A call that lasts is answered with a job (status \"running\") and goes on. This gives the answer of that call once it is there, and the job again until then."
    case .cancel:
      "Ends a job that runs, or forgets the answer of one that has ended. What it did until then stays done."
    }
  }

  package var hints: RouteHints {
    switch self {
    case .get: RouteHints(readOnly: true, destructive: false, idempotent: true)
    case .cancel: RouteHints(readOnly: false, destructive: true, idempotent: true)
    }
  }

  /// Of the one object of arguments.
  package static let arguments: JSONValue = [
    "type": "object", "additionalProperties": false, "required": ["job"],
    "properties": ["job": ["type": "string", "description": "The id in 'job' of the call's answer."]],
  ]

  /// The job that the arguments name. Throws 422 `call.…`.
  package static func job(in arguments: borrowing JSONElement) throws(Problem) -> String {
    guard arguments.kind == .object else {
      throw Problem(422, "call.arguments_invalid", "The arguments must be one JSON object.")
    }
    var job: String?
    var members = arguments.members
    while members.next() {
      let name = String(members.key)
      guard name == "job" else {
        throw Problem(
          422, "call.argument_unknown", "There is no argument '\(name.prefix(100))'. Known: job.",
          members: ["argument": .string(String(name.prefix(100)))])
      }
      guard job == nil, let text = members.value.string else {
        throw Problem(
          422, "call.argument_invalid", "The argument 'job' must be a string, and stand there once.",
          members: ["argument": "job"])
      }
      job = text
    }
    guard let job else {
      throw Problem(
        422, "call.argument_missing", "The argument 'job' is missing.", members: ["argument": "job"])
    }
    return job
  }

  // MARK: What a call is answered that has become a job

  package static func path(_ job: String) -> String { "/jobs/\(job)" }

  package static func handle(_ job: String, pollSeconds: Int) -> JSONValue {
    [
      "job": .string(job), "status": "running", "poll": .string(path(job)),
      "poll_after_s": .integer(Int64(pollSeconds)),
      "detail": .string("The call goes on as a job: do not send it again. \(nextStep(job))"),
    ]
  }

  /// Of ``handle(_:pollSeconds:)``.
  package static let handleSchema: JSONValue = [
    "type": "object", "required": ["job", "status", "poll", "poll_after_s", "detail"],
    "properties": [
      "job": ["type": "string"], "status": ["const": "running"], "poll": ["type": "string"],
      "poll_after_s": ["type": "integer"], "detail": ["type": "string"],
    ],
  ]

  /// How a client, or a model, gets at the answer.
  static func nextStep(_ job: String) -> String {
    "Get its answer with GET \(path(job)), or by name with \(JobOperation.get.name) and {\"job\": \"\(job)\"}, until it is no longer running."
  }
}

extension LiveRoute {
  /// Whether a call may become a job after that time; never for nil. A stream is no job: it leaves while it is written.
  package func outlasts(_ patience: Duration?) -> Bool {
    guard let patience else { return false }
    return deadlineNanoseconds > patience.nanoseconds && !declaration.streams
  }
}

package import Kernel

/// What documents tell of one path of the host's own.
package struct OwnManual: Sendable {
  package struct Answer: Sendable {
    /// `202`, or a range like `4XX` where it is another's choice.
    package var status: String
    package var description: String
    /// JSON Schemas by media type; empty: there is no body.
    package var content: [String: JSONValue]

    package init(_ status: String, _ description: String, _ content: [String: JSONValue] = [:]) {
      self.status = status
      self.description = description
      self.content = content
    }
  }

  /// Operations whose answers a path passes on, beside its own.
  package enum PassedOn: Sendable {
    /// Every one that its reader may call, by name: an answer without a body has one here, with status 200.
    case calls
    /// Those that may become jobs.
    case jobs
  }

  /// Unique in a document; begins with `council_`, which no automation's does.
  package var operation: String
  package var summary: String
  package var description: String
  /// JSON Schema of an object with the path parameters; nil: there are none.
  package var path: JSONValue?
  /// Of the body.
  package var body: JSONValue?
  package var answers: [Answer]
  /// Statuses of problems beside those of ``answers``.
  package var refusals: [Int]
  /// Their statuses are this path's, too: a document names each one. A range among ``answers`` says what those in it look like,
  /// and stands for itself only where an operation does not know its own status.
  package var passesOn: PassedOn?

  package init(
    _ operation: String, _ summary: String, _ description: String = "", path: JSONValue? = nil,
    body: JSONValue? = nil, answers: [Answer], refusals: [Int] = [], passesOn: PassedOn? = nil
  ) {
    self.operation = operation
    self.summary = summary
    self.description = description
    self.path = path
    self.body = body
    self.answers = answers
    self.refusals = refusals
    self.passesOn = passesOn
  }

  /// The media type and schema of problem details; documents have the schema in one place.
  package static let problem: (type: String, schema: JSONValue) = (
    "application/problem+json", ["$ref": "#/components/schemas/Problem"]
  )

  /// The media type of a stream, and its schema. It says no type: OpenAPI before 3.2 does not settle whether a schema is of
  /// the whole text or of one event, and readers take it either way.
  package static let events: (type: String, schema: JSONValue) = (
    "text/event-stream", ["description": "Server-sent events, as the HTML standard has them."]
  )

  /// The body of a 202: a call went on as a job.
  package static let runningJob: JSONValue = [
    "type": "object", "description": "A call that goes on without its client.",
    "properties": [
      "job": ["type": "string", "description": "The id of the job."],
      "status": ["type": "string", "enum": ["running"]],
      "poll": [
        "type": "string", "description": "Where the answer is fetched, with the same key: `/jobs/{id}`.",
      ],
      "poll_after_s": ["type": "integer", "minimum": 0, "description": "Seconds to wait before that."],
    ], "required": ["job", "status", "poll", "poll_after_s"],
  ]
}

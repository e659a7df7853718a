package import Kernel

/// What is wrong with one place of a document, query or declaration.
package struct RecordIssue: Error, Sendable, Equatable {
  /// JSON Pointer (RFC 6901).
  package var pointer: String
  /// For a person or a model: what is expected there.
  package var reason: String

  package init(_ pointer: String, _ reason: String) {
    self.pointer = pointer
    self.reason = reason
  }

  /// The issue as seen from one level further out.
  package func below(_ key: String) -> RecordIssue {
    RecordIssue("/" + RecordIssue.escape(key) + pointer, reason)
  }

  package func below(_ index: Int) -> RecordIssue { RecordIssue("/\(index)" + pointer, reason) }

  package static func escape(_ key: String) -> String {
    guard key.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return key }
    var text = ""
    for character in key.unicodeScalars {
      switch character {
      case "~": text += "~0"
      case "/": text += "~1"
      default: text.unicodeScalars.append(character)
      }
    }
    return text
  }

  package var json: JSONValue { .object(["pointer": .string(pointer), "reason": .string(reason)]) }

  /// `/email: is required; /age: must be an integer`.
  package static func text(_ issues: [RecordIssue]) -> String {
    issues.map { $0.pointer.isEmpty ? $0.reason : "\($0.pointer): \($0.reason)" }.joined(separator: "; ")
  }
}

/// The codes of records, each made in one place so that every engine answers alike.
extension Problem {
  /// 422: the document does not fit the declared fields.
  package static func recordInvalid(_ issues: [RecordIssue]) -> Problem {
    Problem(
      422, "records.invalid", RecordIssue.text(issues), members: ["errors": .array(issues.map(\.json))])
  }

  /// 400: the query does not fit the query language or the declared fields.
  package static func recordQueryInvalid(_ issue: RecordIssue) -> Problem {
    Problem(
      400, "records.invalid_query", RecordIssue.text([issue]),
      members: ["pointer": .string(issue.pointer), "errors": .array([issue.json])])
  }

  /// 400: the cursor is not one that this query gave out.
  package static func recordCursorInvalid(_ reason: String) -> Problem {
    Problem(400, "records.invalid_cursor", reason, members: ["pointer": "/after"])
  }

  package static func recordNotFound(_ collection: String) -> Problem {
    Problem(
      404, "records.not_found",
      "\(collection) holds no record with this id. Look for the right one in the list of \(collection), or make it"
    )
  }

  /// 409: another record has this value in a unique field.
  package static func recordConflict(_ collection: String, field: String) -> Problem {
    Problem(
      409, "records.conflict",
      "another record of \(collection) has this \(field), which is unique. Nothing was written: change that record, or send another \(field)",
      members: ["field": .string(field)])
  }

  /// 412: the record is at another version than the caller expects.
  package static func recordPreconditionFailed(expected: Int64, actual: Int64) -> Problem {
    Problem(
      412, "records.precondition_failed",
      "the record is at version \(actual), not \(expected), and was not changed: read it again, see whether the change is still wanted, and repeat it with If-Match \"\(actual)\"",
      members: ["version": .integer(actual)])
  }

  /// 422: a declaration asks for what no engine, or not this engine, can do. Lists every cause.
  package static func recordsUnsupported(_ causes: [RecordIssue]) -> Problem {
    Problem(
      422, "records.unsupported", RecordIssue.text(causes), members: ["errors": .array(causes.map(\.json))])
  }

  /// 422: a search in a collection that declares no searchable field.
  package static func recordsNotSearchable(_ collection: String) -> Problem {
    Problem(
      422, "records.not_searchable",
      "\(collection) declares no searchable field: leave out 'search' and use 'where'",
      members: ["pointer": "/search"])
  }

  /// 422: what is declared needs a key, and the host has none.
  package static func recordsEncryptionUnconfigured(_ fields: [String]) -> Problem {
    Problem(
      422, "records.encryption_unconfigured",
      "\(fields.joined(separator: ", ")) shall be encrypted, and this host has no key: set "
        + "records.encryption_key_file to a file with one (openssl rand -hex 32)",
      members: ["fields": .array(fields.map { .string($0) }), "setting": "records.encryption_key_file"])
  }

  /// 500: a value was encrypted with a key that is not configured. It is kept as it is.
  package static func recordsKeyMissing(_ detail: String) -> Problem {
    Problem(500, "records.key_missing", detail)
  }

  /// 500: an encrypted value does not stand where it was written, or was changed.
  package static func recordsValueDamaged(_ detail: String) -> Problem {
    Problem(500, "records.value_damaged", detail)
  }

  /// 409: opening these collections would lose or contradict records that exist.
  package static func recordMigrationDestructive(_ changes: [SchemaMigration.Refusal]) -> Problem {
    Problem(
      409, "records.migration_destructive",
      "the declared records do not fit the records that exist: "
        + changes.map(\.detail).joined(separator: "; "),
      members: ["changes": .array(changes.map(\.json))])
  }

  /// 503: the engine cannot serve now. `cause` is a stable word: `busy`, `disk_full`, `corrupt` …
  package static func recordsUnavailable(
    cause: String, _ detail: String, retryAfterSeconds: Int? = 1
  ) -> Problem {
    Problem(
      503, "records.unavailable", detail, members: ["cause": .string(cause)],
      retryAfterSeconds: retryAfterSeconds)
  }

  /// 503: more writes wait than the queue takes, or one waited too long. Nothing was written.
  package static var recordsOverloaded: Problem {
    Problem(
      503, "records.overloaded",
      "too many writes are waiting; nothing was written: send the request again after the time in Retry-After",
      retryAfterSeconds: 1)
  }

  /// 504: the operation ran longer than the limit and was stopped. Nothing was written.
  package static func recordsTimeout(milliseconds: Int64) -> Problem {
    Problem(
      504, "records.timeout",
      "the operation was stopped after \(milliseconds) ms: narrow the query, or declare an index for it",
      members: ["limit_ms": .integer(milliseconds)])
  }

  /// 413: the input, or the record it would make, is over the limit.
  package static func recordTooLarge(_ what: String, limit: Int) -> Problem {
    Problem(
      413, "records.too_large", "\(what) is over \(limit) bytes: send less, or in several parts",
      members: ["limit_bytes": .integer(Int64(limit))])
  }

  /// 500: the engine answered what it should not.
  package static func recordsInternal(_ detail: String) -> Problem {
    Problem(500, "records.internal", detail)
  }
}

import Domain
package import Kernel

/// A result code of SQLite that is not a success.
package struct SQLiteError: Error, Sendable, Equatable {
  /// The extended result code (sqlite.org/rescode.html).
  package var code: Int32
  /// SQLite's own text: names of tables and columns, never a bound value.
  package var message: String

  package init(code: Int32, message: String) {
    self.code = code
    self.message = message
  }

  /// The code without its extension.
  package var primary: Int32 { code & 0xFF }

  /// Primary codes, which the C header has as macros that Swift sees; named here for what they mean to us.
  package enum Code {
    package static let generic: Int32 = 1
    package static let permission: Int32 = 3
    package static let busy: Int32 = 5
    package static let locked: Int32 = 6
    package static let noMemory: Int32 = 7
    package static let readOnly: Int32 = 8
    package static let interrupted: Int32 = 9
    package static let inputOutput: Int32 = 10
    package static let corrupt: Int32 = 11
    package static let full: Int32 = 13
    package static let cannotOpen: Int32 = 14
    package static let lockProtocol: Int32 = 15
    package static let tooBig: Int32 = 18
    package static let constraint: Int32 = 19
    package static let noLargeFiles: Int32 = 22
    package static let notADatabase: Int32 = 26
    /// Our own, of an encrypted value: SQLite gives the extensions of its generic error by counting up.
    package static let keyMissing: Int32 = 1 | 201 << 8
    package static let valueDamaged: Int32 = 1 | 202 << 8
    /// Our own, of a query.
    package static let tooManyValues: Int32 = 1 | 203 << 8
    package static let constraintPrimaryKey: Int32 = 19 | 6 << 8
    package static let constraintUnique: Int32 = 19 | 8 << 8
  }

  package var isUniqueViolation: Bool {
    code == Code.constraintPrimaryKey || code == Code.constraintUnique
  }

  /// The answer to a caller whose operation met this. A unique violation is told apart before.
  package func problem(_ configuration: SQLiteConfiguration) -> Problem {
    if code == Code.keyMissing { return .recordsKeyMissing(message) }
    if code == Code.valueDamaged { return .recordsValueDamaged(message) }
    if code == Code.tooManyValues { return .recordQueryInvalid(RecordIssue("/where", message)) }
    return switch primary {
    case Code.busy, Code.locked, Code.lockProtocol:
      .recordsUnavailable(cause: "busy", "the records are locked by another process")
    case Code.full:
      .recordsUnavailable(
        cause: "disk_full", "there is no room to write: the disk or the limit of the records is full",
        retryAfterSeconds: 30)
    case Code.readOnly, Code.permission:
      .recordsUnavailable(cause: "read_only", "the records cannot be written", retryAfterSeconds: 30)
    case Code.inputOutput:
      .recordsUnavailable(
        cause: "io_error", "the disk answered with an error (\(code))", retryAfterSeconds: 5)
    case Code.corrupt, Code.notADatabase:
      .recordsUnavailable(
        cause: "corrupt", "the file of the records is damaged (\(code)): restore it from a backup",
        retryAfterSeconds: nil)
    case Code.cannotOpen, Code.noLargeFiles:
      .recordsUnavailable(
        cause: "cannot_open", "the file of the records cannot be opened (\(code))", retryAfterSeconds: 5)
    case Code.noMemory:
      .recordsUnavailable(cause: "out_of_memory", "there is no memory for the operation")
    case Code.interrupted: .recordsTimeout(milliseconds: configuration.timeLimit.nanoseconds / 1_000_000)
    case Code.tooBig: .recordTooLarge("the record", limit: configuration.maxValueBytes)
    default: .recordsInternal("SQLite answered \(code): \(message)")
    }
  }
}

import Application
import CCouncil
import Kernel

/// One call of `council.records/1`, after its pointers were checked.
enum RecordsCall {
  static let stale = Problem(410, "records.stale", "The request or the generation is over.")

  static func invalid(_ detail: String) -> Problem { Problem(422, "records.invalid", detail) }

  static func run(
    _ context: HostContext, _ collection: UInt32, _ operation: UInt32, _ key: Span<UInt8>,
    _ input: Span<UInt8>, _ expectedVersion: Int64, isInline: Bool, isDryRun: Bool
  ) throws(Problem) -> RecordResult {
    guard let operation = RecordOperation(rawValue: operation) else {
      throw invalid("There is no operation \(operation).")
    }
    guard expectedVersion >= 0 else { throw invalid("An expected version is 0 or above.") }
    if context.isProbe {
      throw Problem(422, "records.unsupported", "Records cannot be read or written while a plugin is probed.")
    }
    guard let store = context.records else {
      throw Problem(403, "records.denied", "The manifest declares no collections.")
    }
    guard operation.isRead || !isInline else {
      throw Problem(
        403, "records.denied",
        "An inline handler cannot write: writing waits. Declare the route's execution as \"blocking\".")
    }
    return try store.call(
      operation, collection: Int(collection), key: key, input: input, expectedVersion: expectedVersion,
      isDryRun: isDryRun)
  }

  static func status(of problem: Problem) -> Int32 {
    switch problem.code {
    case "records.stale": Status.stale
    case "records.denied": Status.denied
    case "records.not_found": Status.notFound
    case "records.conflict": Status.conflict
    case "records.precondition_failed": Status.precondition
    case "records.unsupported": Status.unsupported
    case "records.unavailable": Status.busy
    default: problem.status < 500 ? Status.invalid : Status.internal
    }
  }
}

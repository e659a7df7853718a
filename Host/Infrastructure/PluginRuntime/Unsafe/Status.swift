import CCouncil

/// The statuses of council.h as the C type has them.
enum Status {
  static let ok = council_status(COUNCIL_OK)
  static let pending = council_status(COUNCIL_PENDING)
  static let again = council_status(COUNCIL_AGAIN)
  static let invalid = council_status(COUNCIL_INVALID)
  static let stale = council_status(COUNCIL_STALE)
  static let busy = council_status(COUNCIL_BUSY)
  static let denied = council_status(COUNCIL_DENIED)
  static let unsupported = council_status(COUNCIL_UNSUPPORTED)
  static let timeout = council_status(COUNCIL_TIMEOUT)
  static let conflict = council_status(COUNCIL_CONFLICT)
  static let notFound = council_status(COUNCIL_NOT_FOUND)
  static let `internal` = council_status(COUNCIL_INTERNAL)
  static let precondition = council_status(COUNCIL_PRECONDITION)

  /// A name for people: what a log line says of a handler that failed.
  static func name(_ status: council_status) -> String {
    let names: [council_status: String] = [
      0: "OK", 1: "PENDING", 2: "AGAIN", -1: "INVALID", -2: "STALE", -3: "BUSY", -4: "DENIED",
      -5: "UNSUPPORTED", -6: "CANCELLED", -7: "TIMEOUT", -8: "CONFLICT", -9: "NOT_FOUND", -10: "INTERNAL",
      -11: "PRECONDITION",
    ]
    return names[status].map { "COUNCIL_\($0)" } ?? "\(status)"
  }
}

extension council_view_v1 {
  /// The bytes, lent as long as the view is; nil for a view that names bytes it does not have.
  @unsafe
  var bytes: UnsafeBufferPointer<UInt8>? {
    // Safe: the pointer is the plugin's promise; what the host can hold it to, a count without bytes, is refused.
    let count = unsafe len
    if count == 0 { return unsafe UnsafeBufferPointer(start: nil, count: 0) }
    guard let ptr = unsafe ptr, count > 0, count <= Int.max / 2 else { return nil }
    return unsafe UnsafeBufferPointer(start: ptr, count: count)
  }
}

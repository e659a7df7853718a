import CCouncil

extension Host {
  /// The number of a declared collection; nil when the host does not have it.
  func collection(_ name: String) -> UInt32? {
    guard let records = records else { return nil }
    let name = name.utf8.span
    // Safe: the view and the pointer live for the call.
    return unsafe name.withUnsafeBufferPointer { name in
      var number: UInt32 = 0
      return unsafe records.collection(host, view(name), &number) == 0 ? number : nil
    }
  }

  /// Runs one operation on records.
  func call(
    _ operation: RecordsOperation, _ collection: UInt32, _ key: String, _ input: Span<UInt8>,
    expecting version: Int64 = 0, for request: UInt64
  ) throws -> (json: JSONBytes, version: Int64) {
    guard let records = records else {
      throw ProblemError(500, "plugin.no_records", "The host has no council.records/1.")
    }
    var result = unsafe council_records_result_v1()
    let key = key.utf8.span
    // Safe: the views live for the call; the host writes the result whole, and its bytes are ours to release.
    let outcome = unsafe key.withUnsafeBufferPointer { key in
      unsafe input.withUnsafeBufferPointer { input in
        unsafe records.call(
          host, request, collection, operation.rawValue, view(key), view(input), version, &result)
      }
    }
    let json = unsafe JSONBytes(owned: OwnedBytes(result.json))
    guard outcome == 0 else {
      let httpStatus = unsafe result.problem_status
      throw RecordsError(
        kind: RecordsError.Kind(outcome), status: httpStatus == 0 ? 500 : Int(httpStatus), json: json)
    }
    return unsafe (json, result.version)
  }
}

extension RecordsError.Kind {
  fileprivate init(_ outcome: council_status) {
    switch outcome {
    case status(COUNCIL_NOT_FOUND): self = .notFound
    case status(COUNCIL_CONFLICT): self = .conflict
    case status(COUNCIL_PRECONDITION): self = .precondition
    case status(COUNCIL_INVALID): self = .invalid
    case status(COUNCIL_BUSY), status(COUNCIL_TIMEOUT): self = .unavailable
    case status(COUNCIL_DENIED): self = .denied
    case status(COUNCIL_UNSUPPORTED): self = .unsupported
    case status(COUNCIL_STALE), status(COUNCIL_CANCELLED): self = .stale
    default: self = .other
    }
  }
}

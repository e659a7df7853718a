import CSQLite

/// What SQLite 3.40 lacks to write our JSON: booleans, numbers that come back as they went in (its own text
/// keeps 15 digits), and objects of more members than a function has parameters.
func registerFunctions(on handle: OpaquePointer) {
  let flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS
  // Safe: the functions are top-level, keep no state and get no context.
  unsafe sqlite3_create_function_v2(handle, "council_boolean", 1, flags, nil, writeBoolean, nil, nil, nil)
  unsafe sqlite3_create_function_v2(handle, "council_number", 1, flags, nil, writeNumber, nil, nil, nil)
  unsafe sqlite3_create_function_v2(handle, "council_join", 2, flags, nil, joinObjects, nil, nil, nil)
}

private typealias Values = UnsafeMutablePointer<OpaquePointer?>

private nonisolated func writeBoolean(_ context: OpaquePointer?, _: Int32, _ values: Values?) {
  // Safe, here and below: SQLite passes as many values as were registered, and they live during the call.
  guard let value = unsafe values?[0], unsafe sqlite3_value_type(value) != SQLITE_NULL else {
    unsafe sqlite3_result_null(context)
    return
  }
  let text: StaticString = unsafe sqlite3_value_int(value) != 0 ? "true" : "false"
  unsafe csqlite_result_json(context, text.utf8Start, Int32(text.utf8CodeUnitCount))
}

private nonisolated func writeNumber(_ context: OpaquePointer?, _: Int32, _ values: Values?) {
  guard let value = unsafe values?[0], unsafe sqlite3_value_type(value) != SQLITE_NULL else {
    unsafe sqlite3_result_null(context)
    return
  }
  let number = unsafe sqlite3_value_double(value)
  // The shortest text that reads back as the same double.
  var text = number.isFinite ? number.description : "null"
  text.withUTF8 { unsafe csqlite_result_json(context, $0.baseAddress, Int32($0.count)) }
}

/// `{"a":1}` and `{"b":2}` make `{"a":1,"b":2}`.
private nonisolated func joinObjects(_ context: OpaquePointer?, _: Int32, _ values: Values?) {
  guard let first = unsafe values?[0], let second = unsafe values?[1],
    let left = unsafe sqlite3_value_text(first), let right = unsafe sqlite3_value_text(second)
  else {
    unsafe sqlite3_result_null(context)
    return
  }
  let leftCount = Int(unsafe sqlite3_value_bytes(first))
  let rightCount = Int(unsafe sqlite3_value_bytes(second))
  guard leftCount > 2, rightCount > 2 else {
    unsafe sqlite3_result_null(context)
    return
  }
  var text: [UInt8] = []
  text.reserveCapacity(leftCount + rightCount)
  unsafe text.append(contentsOf: UnsafeBufferPointer(start: left, count: leftCount))
  text[text.count - 1] = UInt8(ascii: ",")
  unsafe text.append(contentsOf: UnsafeBufferPointer(start: right + 1, count: rightCount - 1))
  unsafe text.withUnsafeBufferPointer { text in
    unsafe csqlite_result_json(context, text.baseAddress, Int32(text.count))
  }
}

import Application
import CSQLite
import Kernel

/// What SQLite 3.40 lacks to write our JSON: booleans, numbers that come back as they went in (its own text
/// keeps 15 digits), and objects of more members than a function has parameters.
func registerFunctions(on handle: OpaquePointer) {
  let flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS
  // Safe: the functions are top-level, keep no state and get no context.
  unsafe sqlite3_create_function_v2(handle, "council_boolean", 1, flags, nil, writeBoolean, nil, nil, nil)
  unsafe sqlite3_create_function_v2(handle, "council_number", 1, flags, nil, writeNumber, nil, nil, nil)
  unsafe sqlite3_create_function_v2(handle, "council_join", 2, flags, nil, joinObjects, nil, nil, nil)
}

/// `council_open(value, scope, id)`: the value of an encrypted field. Not for what a schema calls: only our own
/// statements may decrypt. Fails with ``SQLiteError/Code`` `keyMissing` or `valueDamaged`.
func registerOpening(_ cipher: any FieldCipher, on handle: OpaquePointer) {
  let flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY
  let holder = unsafe Unmanaged.passRetained(CipherHolder(cipher)).toOpaque()
  // Safe: the holder stays until SQLite, with the connection's end or at once after a failure, calls `letGo`.
  unsafe sqlite3_create_function_v2(
    handle, "council_open", 3, flags, holder, openValue, nil, nil, letGo)
}

private final class CipherHolder {
  let cipher: any FieldCipher

  init(_ cipher: any FieldCipher) { self.cipher = cipher }
}

private nonisolated func letGo(_ holder: UnsafeMutableRawPointer?) {
  // Safe: it was retained when it was handed over, and this is the only release.
  guard let holder = unsafe holder else { return }
  unsafe Unmanaged<CipherHolder>.fromOpaque(holder).release()
}

private nonisolated func openValue(_ context: OpaquePointer?, _: Int32, _ values: Values?) {
  guard let value = unsafe values?[0], let scope = unsafe values?[1], let id = unsafe values?[2],
    unsafe sqlite3_value_type(value) != SQLITE_NULL, let holder = unsafe sqlite3_user_data(context)
  else {
    unsafe sqlite3_result_null(context)
    return
  }
  // Safe: the holder lives as long as the function is registered.
  let cipher = unsafe Unmanaged<CipherHolder>.fromOpaque(holder).takeUnretainedValue().cipher
  do throws(FieldCipherError) {
    let bound = unsafe bytes(scope) + [0] + bytes(id)
    let plain = try cipher.open(unsafe bytes(value).span, context: bound.span)
    unsafe plain.withUnsafeBufferPointer { text in
      unsafe csqlite_result_text(context, text.baseAddress, Int32(text.count))
    }
  } catch {
    let place = unsafe String(decoding: bytes(scope), as: UTF8.self)
    switch error {
    case .unknownKey(let key):
      let text =
        "a value of \(place) is encrypted with key \(key), which records.encryption_key_file no longer holds: "
        + "put it back, behind the key that writes"
      unsafe sqlite3_result_error(context, text, -1)
      unsafe sqlite3_result_error_code(context, SQLiteError.Code.keyMissing)
    case .notAuthentic:
      unsafe sqlite3_result_error(
        context, "a value of \(place) was changed, or stands where it was not written", -1)
      unsafe sqlite3_result_error_code(context, SQLiteError.Code.valueDamaged)
    }
  }
}

private func bytes(_ value: OpaquePointer) -> [UInt8] {
  // Safe: as many bytes as SQLite says live during the call of the function.
  guard let base = unsafe sqlite3_value_blob(value) else { return [] }
  return unsafe [UInt8](UnsafeRawBufferPointer(start: base, count: Int(sqlite3_value_bytes(value))))
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

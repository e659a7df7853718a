import CPCRE2

/// Why a pattern cannot be compiled.
struct PatternError: Error {
  /// PCRE2's text.
  var reason: String
  /// Whether the pattern is good in ECMA-262 and only this engine lacks it.
  var unsupported: Bool
}

/// One compiled pattern, as a table of a program keeps it: valid as long as the ``PatternTable`` that made it.
@safe
struct Pattern: BitwiseCopyable, @unchecked Sendable {
  // Sendable: PCRE2 never writes to compiled code.
  let code: OpaquePointer
  /// Whether it can match at the text's start only.
  let isAnchored: Bool

  fileprivate init(code: OpaquePointer) {
    unsafe self.code = unsafe code
    var options: UInt32 = 0
    // Safe: the answer is 32 bits wide.
    unsafe pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_ALLOPTIONS), &options)
    isAnchored = options & PCRE2_ANCHORED != 0
  }
}

/// Owns the compiled patterns of one program.
@safe
final class PatternTable: @unchecked Sendable {
  // Sendable: changes only while one thread builds the program.
  private(set) var patterns: [Pattern] = []

  deinit {
    // Safe: each was made once by `add`.
    for pattern in patterns { unsafe pcre2_code_free_8(pattern.code) }
  }

  /// Compiles a pattern in PCRE2's syntax and gives its number.
  func add(_ pattern: [UInt8]) throws(PatternError) -> Int {
    var code: Int32 = 0
    var offset = 0
    let options =
      PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_MATCH_UNSET_BACKREF
      | PCRE2_USE_OFFSET_LIMIT
    let compiled = unsafe pattern.withUnsafeBufferPointer { bytes in
      // Safe: PCRE2 reads exactly the counted bytes, and keeps none of them. It takes no null pattern.
      bytes.count > 0
        ? unsafe pcre2_compile_8(bytes.baseAddress, bytes.count, options, &code, &offset, nil)
        : unsafe pcre2_compile_8("", 0, options, &code, &offset, nil)
    }
    guard let compiled = unsafe compiled else {
      // 125: a lookbehind without a fixed length, which ECMA-262 allows.
      throw PatternError(reason: message(of: code), unsupported: code == 125)
    }
    // Without JIT (a system that forbids writable code pages) the interpreter matches, within the same limits.
    unsafe pcre2_jit_compile_8(compiled, UInt32(PCRE2_JIT_COMPLETE))
    unsafe patterns.append(Pattern(code: compiled))
    return patterns.count - 1
  }
}

private func message(of code: Int32) -> String {
  var buffer = [UInt8](repeating: 0, count: 256)
  let count = unsafe buffer.withUnsafeMutableBufferPointer { bytes in
    // Safe: PCRE2 writes at most the counted bytes.
    unsafe pcre2_get_error_message_8(code, bytes.baseAddress, bytes.count)
  }
  return count > 0 ? String(decoding: buffer[..<Int(count)], as: UTF8.self) : "error \(code)"
}

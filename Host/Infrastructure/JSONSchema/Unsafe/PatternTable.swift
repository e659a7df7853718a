import CPCRE2

/// Why a pattern cannot be compiled.
struct PatternError: Error {
  /// PCRE2's text.
  var reason: String
  /// Whether the pattern is good in ECMA-262 and only this engine lacks it.
  var unsupported: Bool
}

/// What a match found. A pattern that needs more steps or memory than it may is exhausted: neither yes nor no.
enum MatchOutcome {
  case yes, no, exhausted
}

/// One compiled pattern, as a table of a program keeps it: valid as long as the ``PatternTable`` that made it.
@safe
struct Pattern: BitwiseCopyable, @unchecked Sendable {
  // Sendable: PCRE2 never writes to compiled code.
  fileprivate let code: OpaquePointer

  fileprivate init(code: OpaquePointer) { unsafe self.code = unsafe code }

  /// Whether the pattern occurs in `text`, which must be valid UTF-8: any string of a JSONDocument is.
  func find(in text: Span<UInt8>, with matcher: PatternMatcher) -> MatchOutcome {
    let status = unsafe text.withUnsafeBufferPointer { bytes in unsafe matcher.match(code, bytes) }
    switch status {
    case 0...: return .yes
    case PCRE2_ERROR_NOMATCH: return .no
    default: return .exhausted
    }
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
    let options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_MATCH_UNSET_BACKREF
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

/// What one thread needs to match: room for one capture, limits, and a stack for compiled code.
@safe
final class PatternMatcher {
  private let data: OpaquePointer
  private let context: OpaquePointer
  private let stack: OpaquePointer?

  init(steps: UInt32, kilobytes: UInt32) {
    // Safe: three allocations that deinit gives back; the context refers to the stack, and both die together.
    guard let data = unsafe pcre2_match_data_create_8(1, nil),
      let context = unsafe pcre2_match_context_create_8(nil)
    else { preconditionFailure("out of memory") }
    unsafe self.data = data
    unsafe self.context = context
    unsafe stack = pcre2_jit_stack_create_8(32 * 1024, Int(kilobytes) * 1024, nil)
    unsafe pcre2_set_match_limit_8(context, steps)
    unsafe pcre2_set_depth_limit_8(context, steps)
    unsafe pcre2_set_heap_limit_8(context, kilobytes)
    if let stack = unsafe stack {
      unsafe pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
    }
  }

  deinit {
    unsafe pcre2_match_data_free_8(data)
    unsafe pcre2_match_context_free_8(context)
    if let stack = unsafe stack { unsafe pcre2_jit_stack_free_8(stack) }
  }

  @unsafe
  fileprivate func match(_ code: OpaquePointer, _ text: UnsafeBufferPointer<UInt8>) -> Int32 {
    // PCRE2 takes no null subject, even when empty.
    guard let base = text.baseAddress else {
      return unsafe pcre2_match_8(code, "", 0, 0, PCRE2_NO_UTF_CHECK, data, context)
    }
    return unsafe pcre2_match_8(code, base, text.count, 0, PCRE2_NO_UTF_CHECK, data, context)
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

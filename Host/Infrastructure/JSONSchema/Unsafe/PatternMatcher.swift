import CPCRE2
import Glibc
import Kernel

/// What a match found. A pattern that needs more work or memory than it may is exhausted: neither yes nor no.
enum MatchOutcome {
  case yes, no, exhausted
}

/// What one thread needs to match: room for one capture, limits, and a stack for compiled code.
///
/// PCRE2 counts the steps of a match anew at each place where it might start, and does not count the characters
/// that a step runs over: 60 KB of text can keep it for 13 s within a limit of 200,000 steps. So the limit shrinks as
/// the text grows, long text is searched in windows of starting places, and between those the time that a
/// validation has spent in patterns is looked at.
@safe
final class PatternMatcher {
  private let data: OpaquePointer
  private let context: OpaquePointer
  private let stack: OpaquePointer?
  private let maxSteps: Int
  private let maxNanoseconds: Int64
  // Of the validation under way.
  private var matches = 0
  private var start: (wall: Instant, thread: Int64)?

  /// Text up to here is searched at once, and the time looked at after each eighth.
  private static let short = 256

  init(steps: UInt32, kilobytes: UInt32, time: Duration) {
    // Safe: three allocations that deinit gives back; the context refers to the stack, and both die together.
    guard let data = unsafe pcre2_match_data_create_8(1, nil),
      let context = unsafe pcre2_match_context_create_8(nil)
    else { preconditionFailure("out of memory") }
    unsafe self.data = data
    unsafe self.context = context
    maxSteps = Int(steps)
    maxNanoseconds = time.nanoseconds
    unsafe stack = pcre2_jit_stack_create_8(32 * 1024, Int(kilobytes) * 1024, nil)
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

  /// Starts counting for another validation.
  func begin() {
    matches = 0
    start = nil
  }

  /// Whether `pattern` occurs in `text`, which must be valid UTF-8: any string of a JSONDocument is.
  func find(_ pattern: Pattern, in text: Span<UInt8>) -> MatchOutcome {
    matches += 1
    unsafe pcre2_set_match_limit_8(context, steps(for: text.count))
    return unsafe text.withUnsafeBufferPointer { bytes in
      // PCRE2 takes no null subject, even when empty.
      guard bytes.count > 0 else { return outcome(unsafe match(pattern, "", 0, from: 0)) }
      let base = bytes.baseAddress!
      if bytes.count <= PatternMatcher.short {
        if matches & 7 == 0, !hasTime() { return .exhausted }
        return outcome(unsafe match(pattern, base, bytes.count, from: 0))
      }
      guard hasTime() else { return .exhausted }
      if pattern.isAnchored { return outcome(unsafe match(pattern, base, bytes.count, from: 0)) }
      return unsafe search(pattern, base, bytes.count)
    }
  }

  /// How many steps a match may take from one starting place: enough for each character's turn in a short text, and
  /// so few in a long one that running over all of it in each step stays bounded.
  private func steps(for count: Int) -> UInt32 {
    let count = max(count, 1)
    let wanted = max(2_000_000 / count, 4 * count + 1000)
    return UInt32(min(maxSteps, wanted, max(200_000_000 / count, 1000)))
  }

  private func outcome(_ status: Int32) -> MatchOutcome {
    switch status {
    case 0...: .yes
    case PCRE2_ERROR_NOMATCH: .no
    default: .exhausted
    }
  }

  @unsafe
  private func match(_ pattern: Pattern, _ text: UnsafePointer<UInt8>, _ count: Int, from: Int) -> Int32 {
    // Safe: the text has `count` bytes of valid UTF-8, and `from` is where a character starts.
    unsafe pcre2_match_8(pattern.code, text, count, from, PCRE2_NO_UTF_CHECK, data, context)
  }

  /// Looks for a match window by window: wider when that is quick, narrower when it is not.
  @unsafe
  private func search(_ pattern: Pattern, _ text: UnsafePointer<UInt8>, _ count: Int) -> MatchOutcome {
    defer { unsafe pcre2_set_offset_limit_8(context, .max) }
    var width = max(65_536 / count, 1)
    var from = 0
    while true {
      var next = from + width
      // A window ends where a character does.
      while next < count, unsafe text[next] & 0xC0 == 0x80 { next += 1 }
      let isLast = next > count
      unsafe pcre2_set_offset_limit_8(context, isLast ? .max : next - 1)
      let before = Instant.now
      let status = unsafe match(pattern, text, count, from: from)
      if status != PCRE2_ERROR_NOMATCH || isLast { return outcome(status) }
      let spent = Instant.now - before
      if spent < 250_000 { width *= 4 } else if spent > 4_000_000 { width = max(width / 4, 1) }
      guard hasTime() else { return .exhausted }
      from = next
    }
  }

  /// Whether the validation may spend more time in patterns. A thread that had to wait for its core is not to
  /// blame: past the deadline, only time of its own counts.
  func hasTime() -> Bool {
    let now = Instant.now
    guard let start else {
      start = (now, threadNanoseconds())
      return true
    }
    if now - start.wall < maxNanoseconds { return true }
    return threadNanoseconds() - start.thread < maxNanoseconds
  }

  private func threadNanoseconds() -> Int64 {
    var time = timespec()
    // Safe: the kernel fills the struct; this clock cannot fail.
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

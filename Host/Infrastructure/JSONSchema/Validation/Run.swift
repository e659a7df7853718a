import Application
import Kernel

/// One validation under way.
struct Run: ~Copyable {
  /// A violation with its place on the tape; its pointer is found when all are.
  struct Finding {
    var place: Int
    var keyword: String
    var message: String
  }

  /// Why a validation ends without an answer. The document counts as invalid, whatever surrounds the place.
  enum Stop {
    case depth, evaluations
    case pattern(Int32)
  }

  let scratch: Scratch
  /// Whether violations are wanted, or only whether there is one.
  var isReporting = false
  /// Whether the violations of the nearest alternative are being found: then none inside explains its own.
  var isExplaining = false
  var findings: [Finding] = []
  var limit: Int
  private(set) var stop: (reason: Stop, place: Int)?
  private var depth = 0
  private var evaluations: Int
  private let maxDepth: Int
  private let stackEnd: UInt

  init(scratch: Scratch, limits: SchemaLimits, limit: Int, words: Int) {
    self.scratch = scratch
    self.limit = limit
    maxDepth = limits.evaluationDepth
    stackEnd = OSThread.stackPosition - min(OSThread.stackPosition, UInt(limits.stackBytes))
    evaluations = limits.evaluations + words * 64
  }

  /// Whether one more schema may be applied; each yes needs a ``leave()``.
  @inline(__always)
  mutating func enter(at place: Int) -> Bool {
    if depth < maxDepth, evaluations > 0, stop == nil, hasStack {
      depth += 1
      evaluations -= 1
      return true
    }
    halt(evaluations > 0 ? .depth : .evaluations, at: place)
    return false
  }

  /// Asked at each eighth level only: that much is left in any case.
  @inline(__always)
  private var hasStack: Bool { depth & 7 != 7 || OSThread.stackPosition > stackEnd }

  @inline(__always)
  mutating func leave() { depth -= 1 }

  /// Ends the validation.
  mutating func halt(_ reason: Stop, at place: Int) {
    if stop == nil { stop = (reason, place) }
  }

  /// Notes a violation. False, and the end of the check when only that is asked.
  @inline(__always)
  mutating func fail(_ place: Int, _ keyword: StaticString, _ message: @autoclosure () -> String) -> Bool {
    // After a stop every answer is no, and says nothing.
    if isReporting, stop == nil { note(place, keyword, message()) }
    return false
  }

  @inline(never)
  private mutating func note(_ place: Int, _ keyword: StaticString, _ message: String) {
    if findings.count < limit {
      findings.append(Finding(place: place, keyword: "\(keyword)", message: message))
    }
  }

  /// Whether the rest of a schema is worth looking at after a violation.
  var goesOn: Bool { isReporting && findings.count < limit && stop == nil }
}

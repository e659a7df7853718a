/// What one thread reuses from validation to validation, so that a valid document costs no allocation.
final class Scratch {
  /// Words that calls take and give back in the order of a stack.
  private(set) var words: [UInt64] = []
  /// The resources entered so far, outermost first: the dynamic scope.
  var scope: [Int32] = []
  let matcher: PatternMatcher
  /// Unknown to callers, who therefore cannot choose keys that collide.
  let seed = UInt64.random(in: .min ... .max)

  private static let keptWords = 16 * 1024

  init(limits: SchemaLimits) {
    matcher = PatternMatcher(
      steps: limits.patternSteps, kilobytes: limits.patternKilobytes, time: limits.patternTime)
  }

  /// Takes `count` words, all zero, and says where they start.
  func take(_ count: Int) -> Int {
    let start = words.count
    words.append(contentsOf: repeatElement(0, count: count))
    return start
  }

  /// Gives back all that was taken since `take` answered `start`.
  func giveBack(to start: Int) { words.removeLast(words.count - start) }

  func set(_ word: Int, _ value: UInt64) { words[word] = value }

  /// Forgets everything; gives the memory of an unusually large document back.
  func reset() {
    if words.capacity > Scratch.keptWords { words = [] } else { words.removeAll(keepingCapacity: true) }
    scope.removeAll(keepingCapacity: true)
    matcher.begin()
  }

  // MARK: Bits

  func takeBits(_ count: Int) -> Int { take((count + 63) / 64) }

  func setBit(_ bit: Int, at start: Int) { words[start + bit / 64] |= 1 << UInt64(bit % 64) }

  func hasBit(_ bit: Int, at start: Int) -> Bool { words[start + bit / 64] & 1 << UInt64(bit % 64) != 0 }

  func merge(_ source: Int, into target: Int, bits: Int) {
    for index in 0..<(bits + 63) / 64 { words[target + index] |= words[source + index] }
  }
}

/// Text that a regular expression takes, for the part of ECMA-262 that schemas mostly use: literals, classes, groups,
/// alternatives and quantifiers. nil for the rest.
package struct PatternSampler {
  private indirect enum Node {
    case set([ClosedRange<UInt32>], isNegated: Bool)
    case sequence([Node])
    case choice([Node])
    case times(Node, ClosedRange<Int>)
  }

  private static let maxRepeats = 8
  private static let maxDepth = 12
  /// Parts of the pattern that are written for one text, each repetition counted.
  static let maxSteps = 20_000
  private static let printable: ClosedRange<UInt32> = 0x21...0x7E
  private let root: Node

  package init?(_ pattern: String) {
    var reader = Reader(Array(pattern.unicodeScalars))
    guard let node = reader.choice(depth: 0), reader.isAtEnd else { return nil }
    root = node
  }

  /// nil where a text takes more than ``maxSteps``: repetitions inside each other multiply.
  package func sample(_ random: inout SeededNumbers) -> String? {
    var (text, steps) = ("", PatternSampler.maxSteps)
    PatternSampler.write(root, &text, &steps, &random)
    return steps >= 0 ? text : nil
  }

  /// `steps` is below 0 when there were too few.
  private static func write(
    _ node: Node, _ text: inout String, _ steps: inout Int, _ random: inout SeededNumbers
  ) {
    steps -= 1
    guard steps >= 0 else { return }
    switch node {
    case .set(let ranges, let isNegated):
      if let scalar = member(ranges, isNegated, &random) { text.unicodeScalars.append(scalar) }
    case .sequence(let nodes): for node in nodes { write(node, &text, &steps, &random) }
    case .choice(let nodes): write(random.pick(nodes), &text, &steps, &random)
    case .times(let node, let range):
      for _ in 0..<random.count(range) where steps >= 0 { write(node, &text, &steps, &random) }
    }
  }

  private static func member(
    _ ranges: [ClosedRange<UInt32>], _ isNegated: Bool, _ random: inout SeededNumbers
  ) -> Unicode.Scalar? {
    guard isNegated else {
      guard !ranges.isEmpty else { return nil }
      return Unicode.Scalar(UInt32.random(in: random.pick(ranges), using: &random))
    }
    for _ in 0..<200 {
      let value = UInt32.random(in: printable, using: &random)
      if !ranges.contains(where: { $0.contains(value) }) { return Unicode.Scalar(value) }
    }
    return nil
  }

  private struct Reader {
    private let text: [Unicode.Scalar]
    private var place = 0

    init(_ text: [Unicode.Scalar]) { self.text = text }

    var isAtEnd: Bool { place == text.count }
    private var current: Unicode.Scalar? { place < text.count ? text[place] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
      guard current == scalar else { return false }
      place += 1
      return true
    }

    mutating func choice(depth: Int) -> Node? {
      guard depth < maxDepth, let first = sequence(depth) else { return nil }
      var all = [first]
      while take("|") {
        guard let next = sequence(depth) else { return nil }
        all.append(next)
      }
      return all.count == 1 ? first : .choice(all)
    }

    private mutating func sequence(_ depth: Int) -> Node? {
      var all: [Node] = []
      while let scalar = current, scalar != "|", scalar != ")" {
        // An anchor adds nothing: what is sampled is the whole text.
        if scalar == "^" || scalar == "$" {
          place += 1
          continue
        }
        guard let atom = atom(depth), let node = quantified(atom) else { return nil }
        all.append(node)
      }
      return .sequence(all)
    }

    private mutating func atom(_ depth: Int) -> Node? {
      guard let scalar = current else { return nil }
      place += 1
      switch scalar {
      case "(":
        if take("?") { guard take(":") else { return nil } }
        guard let node = choice(depth: depth + 1), take(")") else { return nil }
        return node
      case "[": return set()
      case ".": return .set([printable], isNegated: false)
      case "\\": return escape().map { .set($0.ranges, isNegated: $0.isNegated) }
      case "*", "+", "?", "{": return nil
      default: return .set([scalar.value...scalar.value], isNegated: false)
      }
    }

    private mutating func quantified(_ node: Node) -> Node? {
      let range: ClosedRange<Int>
      if take("*") {
        range = 0...maxRepeats
      } else if take("+") {
        range = 1...maxRepeats
      } else if take("?") {
        range = 0...1
      } else if take("{") {
        guard let low = number() else { return nil }
        var high = low
        if take(",") { high = number() ?? low + maxRepeats }
        guard take("}"), low <= high, low <= 4096 else { return nil }
        range = low...min(high, low + 256)
      } else {
        return node
      }
      // A lazy quantifier takes the same texts.
      _ = take("?")
      return .times(node, range)
    }

    private mutating func number() -> Int? {
      var digits = ""
      while let scalar = current, ("0"..."9").contains(scalar), digits.count < 6 {
        digits.unicodeScalars.append(scalar)
        place += 1
      }
      return Int(digits)
    }

    private mutating func set() -> Node? {
      let isNegated = take("^")
      var ranges: [ClosedRange<UInt32>] = []
      while !take("]") {
        guard let low = member(&ranges) else {
          if isAtEnd { return nil }
          continue
        }
        if current == "-", place + 1 < text.count, text[place + 1] != "]" {
          place += 1
          guard let high = member(&ranges), low <= high else { return nil }
          ranges.append(low...high)
        } else {
          ranges.append(low...low)
        }
      }
      return .set(ranges, isNegated: isNegated)
    }

    /// One character of a class; nil for an escape of several, which is added to the ranges.
    private mutating func member(_ ranges: inout [ClosedRange<UInt32>]) -> UInt32? {
      guard let scalar = current else { return nil }
      place += 1
      guard scalar == "\\" else { return scalar.value }
      guard let found = escape(), !found.isNegated else {
        place = text.count
        return nil
      }
      if found.ranges.count == 1, found.ranges[0].count == 1 { return found.ranges[0].lowerBound }
      ranges += found.ranges
      return nil
    }

    private mutating func escape() -> (ranges: [ClosedRange<UInt32>], isNegated: Bool)? {
      guard let scalar = current else { return nil }
      place += 1
      let digits: ClosedRange<UInt32> = 0x30...0x39
      let words = [digits, 0x41...0x5A, 0x61...0x7A, 0x5F...0x5F]
      let blanks: [ClosedRange<UInt32>] = [0x20...0x20, 0x09...0x0D, 0xA0...0xA0]
      switch scalar {
      case "d": return ([digits], false)
      case "D": return ([digits], true)
      case "w": return (words, false)
      case "W": return (words, true)
      case "s": return (blanks, false)
      case "S": return (blanks, true)
      case "t": return ([9...9], false)
      case "n": return ([10...10], false)
      case "r": return ([13...13], false)
      // Boundaries, back-references, code points and properties: not here.
      case "b", "B", "k", "u", "x", "p", "P", "c", "0"..."9": return nil
      default: return ([scalar.value...scalar.value], false)
      }
    }
  }
}

import Application
import Kernel

/// What the stream of a route has said, as far as its call's answer may say it.
///
/// It takes pieces in their order, events or text, and the first one that would make the answer too long ends it: that one is
/// left out, and so are those before it in whose place the words must stand that say so.
struct StreamText {
  /// Valid UTF-8.
  private(set) var bytes: [UInt8] = []
  /// Says that the text was cut, and by which limit; nil while it is whole.
  private(set) var note: String?
  private var size = AnswerBudget.Size()
  private let budget: AnswerBudget
  /// Of ``bytes``, whatever the budget.
  private let maxBytes: Int
  /// Pieces are events, and stay whole; of a text, a part is as good as the rest.
  private let keepsPieces: Bool
  /// Where the last pieces begin: as many as a note has characters, of which each piece has one at least.
  private var starts: [(count: Int, size: AnswerBudget.Size)] = []

  private static let longestNote = 128

  init(maxBytes: Int, _ budget: AnswerBudget, keepsPieces: Bool) {
    self.maxBytes = maxBytes
    self.budget = budget
    self.keepsPieces = keepsPieces
  }

  var isCut: Bool { note != nil }

  /// Takes a piece of valid UTF-8, not an empty one. False: the text is cut, and has no more.
  mutating func add(_ piece: [UInt8]) -> Bool {
    if isCut { return false }
    let more = size + StreamText.size(piece.span)
    guard let reason = fault(of: more) else {
      if keepsPieces { note(start: (bytes.count, size)) }
      bytes += piece
      size = more
      return true
    }
    if !keepsPieces { addScalars(of: piece) }
    cut(reason)
    return false
  }

  /// Cuts the text before a piece of more than `maxBytes`.
  mutating func refuseNext() {
    if isCut { return }
    let least = AnswerBudget.Size(bytes: maxBytes + 1, characters: maxBytes / 4 + 1)
    if let reason = fault(of: size + least) { cut(reason) }
  }

  // MARK: Cutting

  /// Which limit a text of that size is over, in words; nil when it fits.
  private func fault(of size: AnswerBudget.Size) -> String? {
    if let source = budget.exceeded(by: size) {
      return StreamText.words(source.rawValue, budget.allowance(source), source.unit)
    }
    return size.bytes > maxBytes ? StreamText.words("mcp.max_stream_bytes", maxBytes, "bytes") : nil
  }

  private static func words(_ limit: String, _ allowed: Int, _ unit: String) -> String {
    "Cut off here: \(limit) allows \(allowed) \(unit)."
  }

  private mutating func cut(_ reason: String) {
    note = reason
    let words = StreamText.size(reason.utf8.span)
    while budget.exceeded(by: size + words) != nil, dropLast() {}
    starts = []
  }

  private mutating func dropLast() -> Bool {
    if keepsPieces {
      guard let start = starts.popLast() else { return false }
      bytes.removeSubrange(start.count...)
      size = start.size
      return true
    }
    guard let start = bytes.lastIndex(where: { $0 & 0xC0 != 0x80 }) else { return false }
    size = size - StreamText.size(Array(bytes[start...]).span)
    bytes.removeSubrange(start...)
    return true
  }

  private mutating func addScalars(of piece: [UInt8]) {
    var start = 0
    while start < piece.count {
      let end = piece[(start + 1)...].firstIndex { $0 & 0xC0 != 0x80 } ?? piece.count
      let scalar = Array(piece[start..<end])
      let more = size + StreamText.size(scalar.span)
      guard fault(of: more) == nil else { return }
      bytes += scalar
      size = more
      start = end
    }
  }

  private mutating func note(start: (count: Int, size: AnswerBudget.Size)) {
    starts.append(start)
    if starts.count >= 2 * StreamText.longestNote { starts.removeFirst(StreamText.longestNote) }
  }

  /// As text of a result.
  private static func size(_ text: Span<UInt8>) -> AnswerBudget.Size {
    AnswerBudget.Size(
      bytes: text.count, characters: JSONText.scalars(text), sent: AnswerEnvelope.escaped(text))
  }
}

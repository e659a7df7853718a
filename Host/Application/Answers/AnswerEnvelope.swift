import Kernel

/// What a protocol puts around an answer, and how much longer that makes it: a limit holds for all that is sent.
package struct AnswerEnvelope: Sendable, Equatable {
  /// Characters around the answer.
  package let frame: Int
  /// JSON stands there as itself and as text.
  package let repeatsJSON: Bool
  private let isBare: Bool

  /// The answer is sent as it is.
  package static let none = AnswerEnvelope(frame: 0, repeatsJSON: false, isBare: true)

  /// JSON in which JSON stands as itself, and everything else as text or in Base64.
  package init(frame: Int, repeatsJSON: Bool) {
    self.init(frame: frame, repeatsJSON: repeatsJSON, isBare: false)
  }

  private init(frame: Int, repeatsJSON: Bool, isBare: Bool) {
    self.frame = frame
    self.repeatsJSON = repeatsJSON
    self.isBare = isBare
  }

  /// Characters of the whole for an answer of so many bytes, whatever it is made of.
  package func atMost(_ bytes: Int) -> Int { isBare ? bytes : frame + 7 * bytes }

  /// The size of an answer that is no JSON.
  package func size(ofText text: Span<UInt8>) -> AnswerBudget.Size {
    var size = AnswerBudget.Size(text)
    // Whichever of the two it becomes.
    if !isBare { size.sent = max(AnswerEnvelope.escaped(text), (text.count + 2) / 3 * 4) }
    return size
  }

  /// The size of so many characters of JSON that need no escape.
  package func size(ofPlain count: Int) -> AnswerBudget.Size {
    AnswerBudget.Size(bytes: count, characters: count, sent: repeatsJSON ? 2 * count : count)
  }

  /// Characters of a text inside a JSON string, as ``Arena/append(jsonString:)`` writes it.
  package static func escaped(_ text: Span<UInt8>) -> Int {
    var count = 0
    for index in text.indices {
      switch text[index] {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x0A, 0x0D, 0x09: count += 2
      case 0..<0x20: count += 6
      case 0x80..<0xC0: break
      default: count += 1
      }
    }
    return count
  }
}

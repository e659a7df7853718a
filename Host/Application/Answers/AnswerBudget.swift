import Kernel

/// How long an answer may be: whichever of its measures is reached first counts.
package struct AnswerBudget: Sendable, Equatable {
  /// Who set the measure that counts: what a caller is told.
  package enum Source: String, Sendable {
    case maxBytes = "max_bytes"
    case maxCharacters = "max_chars"
    case maxTokens = "max_tokens"
    /// The key's own limit, and the host's.
    case key = "answer_limit"
    case host = "answers.max_characters"
  }

  /// A token of the usual tokenizers holds four characters of English prose, fewer of JSON with its quotes and braces, and
  /// one or two of other scripts, whose characters take two or three bytes: three bytes of UTF-8 to a token errs towards
  /// too many tokens.
  package static let bytesPerToken = 3

  /// Unicode scalars.
  package private(set) var characters = Int.max
  package private(set) var bytes = Int.max
  private var characterSource = Source.host
  private var byteSource = Source.maxBytes

  package init() {}

  /// Takes another limit over where it is the smaller one. `value` is at most ``HostParameter/largest``.
  package mutating func limit(to value: Int, _ source: Source) {
    switch source {
    case .maxBytes: tightenBytes(value, source)
    case .maxTokens:
      tightenBytes(value * AnswerBudget.bytesPerToken, source)
    case .maxCharacters, .key, .host:
      if value < characters {
        characters = value
        characterSource = source
      }
    }
  }

  private mutating func tightenBytes(_ value: Int, _ source: Source) {
    guard value < bytes else { return }
    bytes = value
    byteSource = source
  }

  /// Whether a text of so many bytes fits, whatever its characters.
  package func surelyFits(bytes count: Int) -> Bool { count <= bytes && count <= characters }

  package func fits(_ text: Span<UInt8>) -> Bool { exceeded(by: Size(text)) == nil }

  /// Which limit a text of that size is over; nil when it fits.
  package func exceeded(by size: Size) -> Source? {
    if size.bytes > bytes { return byteSource }
    return size.characters > characters ? characterSource : nil
  }

  /// What a source allows, in its own unit.
  package func allowance(_ source: Source) -> Int {
    switch source {
    case .maxBytes: bytes
    case .maxTokens: bytes / AnswerBudget.bytesPerToken
    case .maxCharacters, .key, .host: characters
    }
  }

  /// A length in both measures.
  package struct Size: Sendable, Equatable {
    package var bytes = 0
    package var characters = 0

    package init(bytes: Int = 0, characters: Int = 0) {
      self.bytes = bytes
      self.characters = characters
    }

    package init(_ text: Span<UInt8>) {
      bytes = text.count
      characters = JSONText.scalars(text)
    }

    package static func + (a: Size, b: Size) -> Size {
      Size(bytes: a.bytes + b.bytes, characters: a.characters + b.characters)
    }

    /// What the usual tokenizers make of it, roughly.
    package var tokens: Int { (bytes + AnswerBudget.bytesPerToken - 1) / AnswerBudget.bytesPerToken }
  }
}

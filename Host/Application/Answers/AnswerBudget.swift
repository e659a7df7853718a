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

    /// What it counts.
    package var unit: String {
      switch self {
      case .maxBytes: "bytes"
      case .maxTokens: "tokens"
      case .maxCharacters, .key, .host: "characters"
      }
    }
  }

  /// A token of the usual tokenizers holds four characters of English prose, fewer of JSON with its quotes and braces, and
  /// one or two of other scripts, whose characters take two or three bytes: three bytes of UTF-8 to a token errs towards
  /// too many tokens.
  package static let bytesPerToken = 3

  /// Unicode scalars.
  package private(set) var characters = Int.max
  package private(set) var bytes = AnswerBudget.arenaBytes
  /// Of what is sent, the protocol's own part included: the key's limit, and the host's.
  private var sent = Int.max
  private var sentSource = Source.host
  private var byteSource = Source.host
  /// What an arena can hold, whatever the limits are: an answer in another form may be many times as long.
  private static let arenaBytes = 1 << 30

  /// What the answer is sent in. What a caller itself asks for is about the answer alone.
  package var envelope = AnswerEnvelope.none

  package init() {}

  /// Takes another limit over where it is the smaller one. `value` is at most ``HostParameter/largest``.
  package mutating func limit(to value: Int, _ source: Source) {
    switch source {
    case .maxBytes: tightenBytes(value, source)
    case .maxTokens:
      tightenBytes(value * AnswerBudget.bytesPerToken, source)
    case .maxCharacters: characters = min(characters, value)
    case .key, .host:
      if value < sent {
        sent = value
        sentSource = source
      }
    }
  }

  private mutating func tightenBytes(_ value: Int, _ source: Source) {
    guard value < bytes else { return }
    bytes = value
    byteSource = source
  }

  /// Whether a text of so many bytes fits, whatever its characters.
  package func surelyFits(bytes count: Int) -> Bool {
    count <= bytes && count <= characters && envelope.atMost(count) <= sent
  }

  /// A text of more bytes is over the budget, whatever its characters: who writes one may stop there.
  package var mostBytes: Int {
    let scalars = min(characters, sent)
    return scalars > bytes / 4 ? bytes : scalars * 4
  }

  /// Which limit a text of that size is over; nil when it fits.
  package func exceeded(by size: Size) -> Source? {
    if size.bytes > bytes { return byteSource }
    if size.characters > characters { return .maxCharacters }
    return size.sent + envelope.frame > sent ? sentSource : nil
  }

  /// What a source allows, in its own unit.
  package func allowance(_ source: Source) -> Int {
    switch source {
    case .maxBytes: bytes
    case .maxTokens: bytes / AnswerBudget.bytesPerToken
    case .maxCharacters: characters
    case .key, .host: sent
    }
  }

  /// A length in every measure.
  package struct Size: Sendable, Equatable {
    package var bytes: Int
    package var characters: Int
    /// Characters that it takes in its envelope, without the frame.
    package var sent: Int

    package init(bytes: Int = 0, characters: Int = 0, sent: Int? = nil) {
      self.bytes = bytes
      self.characters = characters
      self.sent = sent ?? characters
    }

    /// Of JSON, or of a text that is sent as it is.
    package init(_ text: Span<UInt8>, in envelope: AnswerEnvelope = .none) {
      self.init(bytes: text.count, characters: JSONText.scalars(text))
      if envelope.repeatsJSON { sent += AnswerEnvelope.escaped(text) }
    }

    package static func + (a: Size, b: Size) -> Size {
      Size(bytes: a.bytes + b.bytes, characters: a.characters + b.characters, sent: a.sent + b.sent)
    }

    package static func - (a: Size, b: Size) -> Size {
      Size(bytes: a.bytes - b.bytes, characters: a.characters - b.characters, sent: a.sent - b.sent)
    }

    /// What the usual tokenizers make of it, roughly.
    package var tokens: Int { (bytes + AnswerBudget.bytesPerToken - 1) / AnswerBudget.bytesPerToken }
  }
}

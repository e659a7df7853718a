import Kernel

extension RecordLimits {
  /// The words of a search, each once: runs of letters, digits and marks, as Unicode has them. What stands between
  /// them separates and means nothing else, so no text is ever syntax. Throws for text without a word, or
  /// with too much of it.
  package func words(of text: Span<UInt8>) throws(RecordIssue) -> [[UInt8]] {
    guard text.count <= maxSearchBytes else { throw RecordIssue("", "is over \(maxSearchBytes) bytes") }
    var words: [[UInt8]] = []
    var word: [UInt8] = []
    func end() throws(RecordIssue) {
      if word.isEmpty { return }
      if !words.contains(word) { words.append(word) }
      word = []
      guard words.count <= maxSearchWords else {
        throw RecordIssue("", "holds more than \(maxSearchWords) words")
      }
    }
    for scalar in String(text).unicodeScalars {
      if isOfWord(scalar) {
        word += Array(String(scalar).utf8)
      } else {
        try end()
      }
    }
    try end()
    guard !words.isEmpty else { throw RecordIssue("", "must hold a word: letters or digits") }
    return words
  }

  private func isOfWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber, .nonspacingMark, .privateUse:
      true
    default: false
    }
  }
}

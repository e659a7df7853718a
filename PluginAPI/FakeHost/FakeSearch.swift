import CouncilPlugin

/// Full-text search, and what an encrypted field can be asked, as the host has them. The order of matches is the host's own:
/// here they come by id.
enum FakeSearch {
  /// The words of a text: runs of letters, digits and marks. Upper and lower case are one; unlike the host, a letter
  /// with a diacritic is not the one without.
  static func words(_ text: String) -> Set<String> {
    var words: Set<String> = []
    var word = ""
    for scalar in text.unicodeScalars {
      if isOfWord(scalar) {
        word.unicodeScalars.append(scalar)
      } else if !word.isEmpty {
        words.insert(word.lowercased())
        word = ""
      }
    }
    if !word.isEmpty { words.insert(word.lowercased()) }
    return words
  }

  /// The words of a query's `search`.
  static func words(of value: JSON, in collection: FakeCollection) throws(RecordsFault) -> [String] {
    guard collection.fields.contains(where: { $0["searchable"]?.bool == true }) else {
      throw .notSearchable(collection.name)
    }
    guard let text = value.string else { throw .query("/search", "must be a string") }
    guard text.utf8.count <= 1024 else { throw .query("/search", "is over 1024 bytes") }
    let words = words(text)
    guard !words.isEmpty else { throw .query("/search", "must hold a word: letters or digits") }
    guard words.count <= 16 else { throw .query("/search", "holds more than 16 words") }
    return words.sorted()
  }

  /// An encrypted field is compared for equality, where it is unique or indexed.
  static func checkEncrypted(_ member: JSON.Member, in collection: FakeCollection) throws(RecordsFault) {
    guard let field = collection.field(member.name), field["encrypted"]?.bool == true else { return }
    let isFindable = field["unique"]?.bool == true || field["indexed"]?.bool == true
    let tests = member.value.members?.map { ($0.name, $0.value) } ?? [("eq", member.value)]
    for (name, value) in tests {
      let isOfNull = name == "exists" || name == "null" || (["eq", "ne"].contains(name) && value == .null)
      guard isOfNull || (isFindable && ["eq", "ne", "in", "nin"].contains(name)) else {
        throw .query(
          "/where/\(member.name)",
          "is encrypted: it can be found by equality only where it is declared indexed or unique")
      }
    }
  }

  private static func isOfWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber, .nonspacingMark, .privateUse:
      true
    default: false
    }
  }
}

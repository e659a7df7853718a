package import Kernel

extension SafetyWords {
  /// Whether a body that was parsed has one of the words as a member. [event]
  @inline(__always)
  package func isNamed(in root: borrowing JSONElement) -> Bool {
    if body == .none { return false }
    var members = root.members
    while members.next() {
      // Only a name with their lengths can be one of them.
      let length = members.name.digest & 0xFFFF_FFFF
      if length == 7 || length == 8 || length == 15, body.word(members.key) != nil { return true }
    }
    return false
  }

  /// Takes the words out of a JSON object that was parsed, in the bytes themselves: what is left is as it came. [event]
  package func take(fromBodyOf exchange: Exchange, _ root: borrowing JSONElement) throws(Problem) {
    var members = root.members
    var cuts: [Word?] = []
    while members.next() {
      let word = body.word(members.key)
      cuts.append(word)
      guard let word else { continue }
      if members.value.kind == .null { continue }
      if word == .dryRun {
        guard case .bool(let flag) = members.value.kind else { throw SafetyWords.invalidDryRun }
        if flag { exchange.isDryRun = true }
      } else if let text = members.value.utf8 {
        try set(word, exchange.head.append(text), exchange)
      } else if word == .ifMatch, case .integer(let version) = members.value.kind, version > 0 {
        try set(word, exchange.head.append(decimal: Int(version)), exchange)
      } else {
        throw SafetyWords.notText(word)
      }
    }
    MemberCut.remove(cuts.map { $0 != nil }, from: exchange.body)
  }
}

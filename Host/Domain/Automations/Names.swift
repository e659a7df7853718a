/// The spelling of names, in one place.
package enum Names {
  /// First path segments that belong to the host.
  package static let reservedRoots: Set<String> = [
    "openapi", "mcp", "functions", "llms", "health", "admin", "console", "metrics", "docs", "jobs",
    "well-known",
    "council",
  ]

  package static let fieldRule = "must be lower-case letters, digits and '_', starting with a letter"

  /// `[a-z][a-z0-9-]{0,62}`, and not `v` with digits, which is how a version is spelled in a path.
  package static func isAutomation(_ text: String) -> Bool {
    let isVersion = text.first == "v" && text.count > 1 && text.dropFirst().allSatisfy(\.isNumber)
    return spelled(text, max: 63, beside: UInt8(ascii: "-")) && !isVersion
  }

  /// `accounts-v2` is version 2 of `accounts`, if its manifest says so; nil for an id that cannot be one.
  package static func version(of id: String) -> (automation: String, number: Int)? {
    guard let dash = id.utf8.lastIndex(of: UInt8(ascii: "-")) else { return nil }
    let mark = id[id.utf8.index(after: dash)...]
    guard mark.hasPrefix("v"), mark.utf8.count <= 5, mark.dropFirst().first != "0",
      let number = Int(mark.dropFirst()),
      number >= 2
    else { return nil }
    return (String(id[..<dash]), number)
  }

  package static func isOperation(_ text: String) -> Bool {
    spelled(text, max: 64, beside: UInt8(ascii: "_"))
  }

  package static func isField(_ text: String) -> Bool {
    spelled(text, max: 63, beside: UInt8(ascii: "_"))
  }

  private static func spelled(_ text: some StringProtocol, max: Int, beside extra: UInt8) -> Bool {
    guard let first = text.utf8.first, isLetter(first), text.utf8.count <= max else { return false }
    return text.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == extra }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
  }
  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}

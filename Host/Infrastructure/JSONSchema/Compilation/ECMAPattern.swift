/// Turns a regular expression of ECMA-262 (with its `u` flag, read leniently as Annex B does) into PCRE2's syntax.
///
/// What the two spell differently is respelled: `\s`, `.`, `\v`, `\uXXXX`, `[^]`, names in `\p{…}`. What only PCRE2 knows
/// (`\A`, `(?i)`, `(*VERB)`, possessive quantifiers, POSIX classes …) is refused, since no other validator would take it.
/// Differences that remain: lookbehind needs a fixed length, a group's name must be an ASCII word of at
/// most 32 characters, and matching is bounded (see ``SchemaLimits/patternSteps``).
struct ECMAPattern {
  struct Failure: Error { var reason: String }

  private let source: [UInt32]
  private var position = 0
  private var output: [UInt8] = []
  /// Whether what was just read can take a quantifier.
  private var quantifiable = false

  static func translate(_ pattern: String) throws(Failure) -> [UInt8] {
    var translator = ECMAPattern(source: pattern.unicodeScalars.map(\.value))
    try translator.run()
    return translator.output
  }

  private init(source: [UInt32]) { self.source = source }

  private mutating func run() throws(Failure) {
    while let character = next() {
      switch character {
      case "\\": try escape(inClass: false)
      case "(": try group()
      case "[": try characterClass()
      case "*", "+", "?": try quantifier(String(character))
      case "{":
        if let counts = braces() { try quantifier(counts) } else { literal("\\{") }
      case "}": literal("\\}")
      case "]": literal("\\]")
      case ".": literal(#"[^\n\r\x{2028}\x{2029}]"#)
      case "|", "^": emit(character, quantifiable: false)
      case "$", ")": emit(character, quantifiable: character == ")")
      default: emit(character, quantifiable: true)
      }
    }
  }

  // MARK: Pieces

  private mutating func quantifier(_ text: String) throws(Failure) {
    guard quantifiable else { throw Failure(reason: "'\(text)' has nothing to repeat") }
    output += text.utf8
    if peek() == "?" {
      position += 1
      output.append(UInt8(ascii: "?"))
    }
    quantifiable = false
  }

  /// Reads `n}`, `n,}` or `n,m}` after an opening brace; nil, and nothing read, when it is a literal brace.
  private mutating func braces() -> String? {
    let start = position
    var text = "{"
    while let character = next() {
      text.unicodeScalars.append(character)
      switch character {
      case "0"..."9": continue
      case "," where text.count > 2 && !text.dropLast().contains(","): continue
      case "}" where text.count > 2: return text
      default: break
      }
      break
    }
    position = start
    return nil
  }

  private mutating func group() throws(Failure) {
    quantifiable = false
    output.append(UInt8(ascii: "("))
    if peek() == "*" { throw Failure(reason: "'(*' has nothing to repeat") }
    guard peek() == "?" else { return }
    position += 1
    for opening in ["?:", "?=", "?!", "?<=", "?<!"] where follows(opening.dropFirst()) {
      position += opening.count - 1
      output += opening.utf8
      return
    }
    guard follows("<") else { throw Failure(reason: "unknown group '(?'") }
    position += 1
    output += "?<".utf8
    output += try name(closing: ">").utf8
    output.append(UInt8(ascii: ">"))
  }

  /// Reads a group's name and the bracket after it.
  private mutating func name(closing: Unicode.Scalar) throws(Failure) -> String {
    var name = ""
    while let character = next(), character != closing {
      guard character.isASCIIWord, name.count < 32 else { break }
      name.unicodeScalars.append(character)
    }
    guard let first = name.unicodeScalars.first, !("0"..."9").contains(first),
      scalar(at: position - 1) == closing
    else { throw Failure(reason: "a group's name is an ASCII word of at most 32 characters") }
    return name
  }

  private mutating func characterClass() throws(Failure) {
    let negated = peek() == "^"
    if negated { position += 1 }
    if peek() == "]" {
      position += 1
      literal(negated ? "(?s:.)" : "(?!)")
      return
    }
    output += (negated ? "[^" : "[").utf8
    while let character = next() {
      switch character {
      case "]":
        emit("]", quantifiable: true)
        return
      case "\\": try escape(inClass: true)
      // Unescaped, PCRE2 would look for a POSIX class.
      case "[": output += "\\[".utf8
      default: emit(character, quantifiable: true)
      }
    }
    throw Failure(reason: "a '[' is not closed")
  }

  private mutating func escape(inClass: Bool) throws(Failure) {
    guard let character = next() else { throw Failure(reason: "a '\\' ends the pattern") }
    switch character {
    case "d", "D", "w", "W": literal("\\\(character)")
    case "s": literal(inClass ? ECMAPattern.space : "[\(ECMAPattern.space)]")
    case "S": literal(inClass ? ECMAPattern.notSpace : "[\(ECMAPattern.notSpace)]")
    case "b" where inClass: codePoint(0x08)
    case "b", "B":
      guard !inClass else { throw Failure(reason: "'\\B' inside a class") }
      literal("\\\(character)")
      quantifiable = false
    case "t": codePoint(0x09)
    case "n": codePoint(0x0A)
    case "v": codePoint(0x0B)
    case "f": codePoint(0x0C)
    case "r": codePoint(0x0D)
    case "c":
      guard let letter = next(), letter.properties.isAlphabetic, letter.isASCII else {
        throw Failure(reason: "'\\c' needs a letter")
      }
      codePoint(letter.value % 32)
    case "x": codePoint(try hexadecimal(digits: 2))
    case "u": codePoint(try unicode())
    case "p", "P": try property(String(character))
    case "k" where !inClass:
      guard next() == "<" else { throw Failure(reason: "'\\k' needs a name in angle brackets") }
      literal("\\k<\(try name(closing: ">"))>")
    case "0":
      if let digit = peek(), ("0"..."9").contains(digit) { throw Failure(reason: "an octal escape") }
      codePoint(0)
    case "1"..."9" where !inClass:
      var number = String(character)
      while let digit = peek(), ("0"..."9").contains(digit), number.count < 3 {
        number.unicodeScalars.append(digit)
        position += 1
      }
      literal("\\g{\(number)}")
    default:
      guard character.isASCII, !character.isASCIIWord || character == "_" else {
        throw Failure(reason: "unknown escape '\\\(character)'")
      }
      if character == "_" { emit("_", quantifiable: true) } else { literal("\\\(character)") }
    }
  }

  private mutating func unicode() throws(Failure) -> UInt32 {
    if peek() == "{" {
      position += 1
      var value: UInt32 = 0
      var digits = 0
      while let digit = next(), digit != "}" {
        guard let nibble = digit.hexadecimal, value < 0x11_0000 else { break }
        value = value << 4 | nibble
        digits += 1
      }
      guard digits > 0, scalar(at: position - 1) == "}", Unicode.Scalar(value) != nil else {
        throw Failure(reason: "'\\u{…}' is not a Unicode scalar")
      }
      return value
    }
    let high = try hexadecimal(digits: 4)
    guard (0xD800..<0xE000).contains(high) else { return high }
    guard high < 0xDC00, next() == "\\", next() == "u" else {
      throw Failure(reason: "half of a surrogate pair")
    }
    let low = try hexadecimal(digits: 4)
    guard (0xDC00..<0xE000).contains(low) else { throw Failure(reason: "half of a surrogate pair") }
    return 0x1_0000 + (high - 0xD800) << 10 + (low - 0xDC00)
  }

  private mutating func hexadecimal(digits: Int) throws(Failure) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<digits {
      guard let nibble = next()?.hexadecimal else {
        throw Failure(reason: "an escape needs \(digits) hexadecimal digits")
      }
      value = value << 4 | nibble
    }
    return value
  }

  private mutating func property(_ letter: String) throws(Failure) {
    guard next() == "{" else { throw Failure(reason: "'\\\(letter)' needs a name in braces") }
    var text = ""
    while let character = next(), character != "}" {
      guard character.isASCIIWord || character == "=", text.count < 64 else { break }
      text.unicodeScalars.append(character)
    }
    guard scalar(at: position - 1) == "}", !text.isEmpty else {
      throw Failure(reason: "'\\\(letter){…}' is not a Unicode property")
    }
    let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
    let category = ECMAPattern.categories[parts.last!] ?? parts.last!
    switch (parts.count, parts[0]) {
    case (1, _), (2, "General_Category"), (2, "gc"): literal("\\\(letter){\(category)}")
    case (2, "Script"), (2, "sc"): literal("\\\(letter){sc:\(parts[1])}")
    case (2, "Script_Extensions"), (2, "scx"): literal("\\\(letter){scx:\(parts[1])}")
    default: throw Failure(reason: "'\\\(letter){\(text)}' is not a Unicode property")
    }
  }

  // MARK: Reading and writing

  private func scalar(at index: Int) -> Unicode.Scalar? {
    source.indices.contains(index) ? Unicode.Scalar(source[index]) : nil
  }

  private func peek() -> Unicode.Scalar? { scalar(at: position) }

  private mutating func next() -> Unicode.Scalar? {
    let character = scalar(at: position)
    position += 1
    return character
  }

  private func follows(_ text: Substring) -> Bool {
    let scalars = text.unicodeScalars.map(\.value)
    return source.dropFirst(position).starts(with: scalars)
  }

  private mutating func literal(_ text: String) {
    output += text.utf8
    quantifiable = true
  }

  private mutating func codePoint(_ value: UInt32) {
    literal("\\x{\(String(value, radix: 16))}")
  }

  private mutating func emit(_ character: Unicode.Scalar, quantifiable: Bool) {
    output += String(character).utf8
    self.quantifiable = quantifiable
  }

  /// ECMA-262's WhiteSpace and LineTerminator, and what is neither.
  private static let space =
    #"\x{9}-\x{d}\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"#
  private static let notSpace =
    #"\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}"#
    + #"\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}"#

  /// General categories by their long names (Unicode, PropertyValueAliases), which PCRE2 does not know.
  private static let categories: [String: String] = [
    "Letter": "L", "Cased_Letter": "L&", "LC": "L&", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll",
    "Titlecase_Letter": "Lt", "Modifier_Letter": "Lm", "Other_Letter": "Lo", "Mark": "M",
    "Combining_Mark": "M", "Nonspacing_Mark": "Mn", "Spacing_Mark": "Mc", "Enclosing_Mark": "Me",
    "Number": "N", "Decimal_Number": "Nd", "digit": "Nd", "Letter_Number": "Nl", "Other_Number": "No",
    "Punctuation": "P", "punct": "P", "Connector_Punctuation": "Pc", "Dash_Punctuation": "Pd",
    "Open_Punctuation": "Ps", "Close_Punctuation": "Pe", "Initial_Punctuation": "Pi",
    "Final_Punctuation": "Pf", "Other_Punctuation": "Po", "Symbol": "S", "Math_Symbol": "Sm",
    "Currency_Symbol": "Sc", "Modifier_Symbol": "Sk", "Other_Symbol": "So", "Separator": "Z",
    "Space_Separator": "Zs", "Line_Separator": "Zl", "Paragraph_Separator": "Zp", "Other": "C",
    "Control": "Cc", "cntrl": "Cc", "Format": "Cf", "Private_Use": "Co", "Unassigned": "Cn",
    "Surrogate": "Cs",
  ]
}

extension Unicode.Scalar {
  fileprivate var isASCIIWord: Bool {
    isASCII && (properties.isAlphabetic || properties.numericType != nil || self == "_")
  }

  fileprivate var hexadecimal: UInt32? {
    isASCII ? properties.isASCIIHexDigit ? UInt32(String(self), radix: 16) : nil : nil
  }
}

import Kernel

/// What this target asks of a manifest's bytes; what they say is the domain's to judge.
enum ManifestRules {
  static func check(_ bytes: Span<UInt8>, maxBytes: Int, _ step: Step) throws(Problem) {
    guard bytes.count > 0 else { throw refusal(step, "manifest.empty", "The manifest is empty.") }
    guard bytes.count <= maxBytes else { throw tooLarge(bytes.count, maxBytes, step) }
    guard UTF8Text.isValid(bytes) else {
      throw refusal(step, "manifest.not_utf8", "The manifest is not UTF-8.")
    }
  }

  static func tooLarge(_ count: Int, _ maxBytes: Int, _ step: Step) -> Problem {
    refusal(
      step, "manifest.too_large", "The manifest has \(count) bytes; at most \(maxBytes) are taken.",
      ["bytes": .integer(Int64(count)), "max_bytes": .integer(Int64(maxBytes))])
  }

  /// The manifest that a plugin states must be, byte for byte, the one that was sealed into its file.
  static func check(_ stated: [UInt8], sealed: [UInt8]?, _ step: Step) throws(Problem) {
    guard let sealed, sealed != stated else { return }
    throw refusal(
      step, "manifest.not_as_sealed",
      "The plugin states another manifest than the one sealed into its file: build and seal it again.")
  }
}

enum UTF8Text {
  /// Whether the bytes are well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates.
  static func isValid(_ bytes: Span<UInt8>) -> Bool {
    var index = 0
    while index < bytes.count {
      let first = bytes[index]
      if first < 0x80 {
        index += 1
        continue
      }
      let (more, low, high): (Int, UInt8, UInt8) =
        switch first {
        case 0xC2...0xDF: (1, 0x80, 0xBF)
        case 0xE0: (2, 0xA0, 0xBF)
        case 0xED: (2, 0x80, 0x9F)
        case 0xE1...0xEF: (2, 0x80, 0xBF)
        case 0xF0: (3, 0x90, 0xBF)
        case 0xF1...0xF3: (3, 0x80, 0xBF)
        case 0xF4: (3, 0x80, 0x8F)
        default: (0, 0, 0)
        }
      guard more > 0, index + more < bytes.count, bytes[index + 1] >= low, bytes[index + 1] <= high else {
        return false
      }
      for following in 2..<max(2, more + 1) where bytes[index + following] & 0xC0 != 0x80 { return false }
      index += more + 1
    }
    return true
  }

  /// The count of bytes, at most `limit`, that ends between two characters.
  static func cut(_ bytes: Span<UInt8>, to limit: Int) -> Int {
    guard bytes.count > limit else { return bytes.count }
    var end = limit
    while end > 0, end > limit - 4, bytes[end] & 0xC0 == 0x80 { end -= 1 }
    return end
  }
}

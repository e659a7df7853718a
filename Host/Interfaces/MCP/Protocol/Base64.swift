import Kernel

/// base64 with padding (RFC 4648, section 4).
enum Base64 {
  static func append(_ bytes: Span<UInt8>, to arena: Arena) {
    var index = 0
    while index < bytes.count {
      let left = bytes.count - index
      let first = bytes[index]
      let second = left > 1 ? bytes[index + 1] : 0
      let third = left > 2 ? bytes[index + 2] : 0
      arena.append(digit(first >> 2))
      arena.append(digit(first << 4 & 63 | second >> 4))
      arena.append(left > 1 ? digit(second << 2 & 63 | third >> 6) : UInt8(ascii: "="))
      arena.append(left > 2 ? digit(third & 63) : UInt8(ascii: "="))
      index += 3
    }
  }

  /// The bytes that the text spells; nil for any other spelling than the one that ``append(_:to:)`` has for them.
  static func decode(_ text: Span<UInt8>) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var index = 0
    while index < text.count {
      let isLast = index + 4 == text.count
      let thirdIsPad = isLast && text[index + 2] == UInt8(ascii: "=")
      let fourthIsPad = isLast && text[index + 3] == UInt8(ascii: "=")
      if thirdIsPad, !fourthIsPad { return nil }
      guard let first = value(text[index]), let second = value(text[index + 1]),
        let third = thirdIsPad ? 0 : value(text[index + 2]),
        let fourth = fourthIsPad ? 0 : value(text[index + 3])
      else { return nil }
      // Bits that no byte takes must be zero: two texts would otherwise spell the same bytes.
      if thirdIsPad, second & 15 != 0 { return nil }
      if fourthIsPad, !thirdIsPad, third & 3 != 0 { return nil }
      bytes.append(first << 2 | second >> 4)
      if !thirdIsPad { bytes.append(second << 4 | third >> 2) }
      if !fourthIsPad { bytes.append(third << 6 | fourth) }
      index += 4
    }
    return bytes
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    switch value {
    case 0..<26: UInt8(ascii: "A") + value
    case 26..<52: UInt8(ascii: "a") + value - 26
    case 52..<62: UInt8(ascii: "0") + value - 52
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
  }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}

import Kernel

/// A place in text that formats are read from.
struct ByteScanner: ~Escapable {
  let text: Span<UInt8>
  var position = 0

  @_lifetime(copy text)
  init(_ text: Span<UInt8>) { self.text = text }

  var isAtEnd: Bool { position == text.count }

  /// The next byte; 0 at the end.
  var next: UInt8 { position < text.count ? text[position] : 0 }

  @_lifetime(self: copy self)
  mutating func skip(_ byte: UInt8) -> Bool {
    guard position < text.count, text[position] == byte else { return false }
    position += 1
    return true
  }

  /// Reads exactly `count` decimal digits.
  @_lifetime(self: copy self)
  mutating func digits(_ count: Int) -> Int? {
    var value = 0
    for _ in 0..<count {
      guard isDigit(next) else { return nil }
      value = value * 10 + Int(next - UInt8(ascii: "0"))
      position += 1
    }
    return value
  }

  /// Reads all decimal digits that follow and says how many.
  @_lifetime(self: copy self)
  mutating func skipDigits() -> Int {
    let start = position
    while isDigit(next) { position += 1 }
    return position - start
  }

  @_lifetime(self: copy self)
  mutating func hexadecimal(_ count: Int) -> Bool {
    for _ in 0..<count {
      guard Hex.value(of: next) != nil else { return false }
      position += 1
    }
    return true
  }
}

@inline(__always)
func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

@inline(__always)
func isLetter(_ byte: UInt8) -> Bool {
  let lower = byte | 0x20
  return lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z")
}

// MARK: Time (RFC 3339)

extension ByteScanner {
  @_lifetime(self: copy self)
  mutating func date() -> Bool {
    guard let year = digits(4), skip(UInt8(ascii: "-")), let month = digits(2), skip(UInt8(ascii: "-")),
      let day = digits(2), month >= 1, month <= 12, day >= 1
    else { return false }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    switch month {
    case 2: return day <= (isLeap ? 29 : 28)
    case 4, 6, 9, 11: return day <= 30
    default: return day <= 31
    }
  }

  @_lifetime(self: copy self)
  mutating func time() -> Bool {
    guard let hour = digits(2), skip(UInt8(ascii: ":")), let minute = digits(2), skip(UInt8(ascii: ":")),
      let second = digits(2), hour < 24, minute < 60, second <= 60
    else { return false }
    if skip(UInt8(ascii: ".")), skipDigits() == 0 { return false }
    var offset = 0
    if !skip(UInt8(ascii: "Z")), !skip(UInt8(ascii: "z")) {
      let sign = next
      guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return false }
      position += 1
      guard let hours = digits(2), skip(UInt8(ascii: ":")), let minutes = digits(2), hours < 24, minutes < 60
      else { return false }
      offset = (hours * 60 + minutes) * (sign == UInt8(ascii: "+") ? 1 : -1)
    }
    // A leap second is inserted at the end of a day in UTC.
    return second < 60 || (hour * 60 + minute - offset + 2880) % 1440 == 1439
  }

  @_lifetime(self: copy self)
  mutating func dateTime() -> Bool {
    guard date(), skip(UInt8(ascii: "T")) || skip(UInt8(ascii: "t")) else { return false }
    return time()
  }

  /// ISO 8601 as RFC 3339, appendix A, has it: units in order, none left out between two, weeks alone.
  @_lifetime(self: copy self)
  mutating func duration() -> Bool {
    guard skip(UInt8(ascii: "P")) else { return false }
    let start = position
    if skipDigits() > 0, skip(UInt8(ascii: "W")) { return isAtEnd }
    position = start
    guard let days = units("YMD") else { return false }
    guard skip(UInt8(ascii: "T")) else { return days > 0 }
    guard let times = units("HMS") else { return false }
    return times > 0
  }

  /// How many units there are; nil when they are out of order or one between two is missing.
  @_lifetime(self: copy self)
  private mutating func units(_ names: StaticString) -> Int? {
    var count = 0
    var last = -1
    while isDigit(next) {
      _ = skipDigits()
      guard let place = unit(names, next), place > last, count == 0 || place == last + 1 else { return nil }
      position += 1
      last = place
      count += 1
    }
    return count
  }

  private func unit(_ names: StaticString, _ byte: UInt8) -> Int? {
    names.description.utf8.enumerated().first { $0.element == byte }?.offset
  }
}

// MARK: Small ones

extension ByteScanner {
  @_lifetime(self: copy self)
  mutating func uuid() -> Bool {
    for (index, count) in [8, 4, 4, 4, 12].enumerated() {
      if index > 0, !skip(UInt8(ascii: "-")) { return false }
      if !hexadecimal(count) { return false }
    }
    return true
  }

  @_lifetime(self: copy self)
  mutating func jsonPointer() -> Bool {
    if isAtEnd { return true }
    guard skip(UInt8(ascii: "/")) else { return false }
    while !isAtEnd {
      let byte = next
      position += 1
      if byte == UInt8(ascii: "~"), !skip(UInt8(ascii: "0")), !skip(UInt8(ascii: "1")) { return false }
    }
    return true
  }

  @_lifetime(self: copy self)
  mutating func relativeJSONPointer() -> Bool {
    let startsWithZero = next == UInt8(ascii: "0")
    let count = skipDigits()
    guard count > 0, count == 1 || !startsWithZero else { return false }
    if skip(UInt8(ascii: "#")) { return isAtEnd }
    return jsonPointer()
  }
}

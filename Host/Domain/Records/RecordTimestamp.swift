import Kernel

/// Timestamps as records keep them: RFC 3339, UTC, milliseconds, always 24 bytes, so that text order is
/// time order.
package enum RecordTimestamp {
  package static let byteCount = 24

  /// The kept form of an RFC 3339 date-time with any offset; digits after the milliseconds are cut off.
  /// nil for other text, for a leap second, and for what falls outside the years 0000 to 9999 in UTC.
  package static func normalise(_ text: Span<UInt8>) -> [UInt8]? {
    var reader = Reader(text: text)
    guard let year = reader.digits(4), reader.take("-"), let month = reader.digits(2), reader.take("-"),
      let day = reader.digits(2), reader.takeSeparator(), let hour = reader.digits(2), reader.take(":"),
      let minute = reader.digits(2), reader.take(":"), let second = reader.digits(2)
    else { return nil }
    guard (1...12).contains(month), day >= 1, day <= days(in: month, of: year), hour < 24, minute < 60,
      second < 60
    else { return nil }
    var milliseconds: Int64 = 0
    if reader.take(".") {
      guard let fraction = reader.fraction() else { return nil }
      milliseconds = fraction
    }
    guard let offset = reader.offset(), reader.isAtEnd else { return nil }
    let ofDay = hour * 3600 + minute * 60 + second - offset * 60
    let total = (daysFromCivil(year, month, day) * 86_400 + ofDay) * 1000 + milliseconds
    guard total >= earliest, total <= latest else { return nil }
    return Array(Timestamp(microseconds: total * 1000).text.utf8)
  }

  /// Milliseconds of 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z.
  private static let earliest: Int64 = -62_167_219_200_000
  private static let latest: Int64 = 253_402_300_799_999

  private static func days(in month: Int64, of year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Days from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
  private static func daysFromCivil(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }
}

extension RecordTimestamp {
  private struct Reader: ~Escapable {
    private let text: Span<UInt8>
    private var place = 0

    @_lifetime(copy text)
    init(text: Span<UInt8>) { self.text = text }

    var isAtEnd: Bool { place == text.count }

    @_lifetime(self: copy self)
    mutating func digits(_ count: Int) -> Int64? {
      guard place + count <= text.count else { return nil }
      var value: Int64 = 0
      for index in place..<place + count {
        guard let digit = Reader.digit(text[index]) else { return nil }
        value = value * 10 + digit
      }
      place += count
      return value
    }

    @_lifetime(self: copy self)
    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard place < text.count, text[place] == UInt8(ascii: character) else { return false }
      place += 1
      return true
    }

    /// RFC 3339, section 5.6: T in either case, or a space.
    @_lifetime(self: copy self)
    mutating func takeSeparator() -> Bool { take("T") || take("t") || take(" ") }

    /// One to nine digits, as milliseconds.
    @_lifetime(self: copy self)
    mutating func fraction() -> Int64? {
      var value: Int64 = 0
      var count = 0
      while place < text.count, let digit = Reader.digit(text[place]) {
        if count < 3 { value = value * 10 + digit }
        count += 1
        place += 1
      }
      guard (1...9).contains(count) else { return nil }
      for _ in min(count, 3)..<3 { value *= 10 }
      return value
    }

    /// Minutes east of UTC.
    @_lifetime(self: copy self)
    mutating func offset() -> Int64? {
      if take("Z") || take("z") { return 0 }
      let sign: Int64
      if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
      guard let hours = digits(2), take(":"), let minutes = digits(2), hours < 24, minutes < 60 else {
        return nil
      }
      return sign * (hours * 60 + minutes)
    }

    private static func digit(_ byte: UInt8) -> Int64? {
      byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? Int64(byte - UInt8(ascii: "0")) : nil
    }
  }
}

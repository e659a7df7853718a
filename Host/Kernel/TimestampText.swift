extension Timestamp {
  /// RFC 3339 in UTC with milliseconds, a fixed 24 bytes, so that text sorts as time does.
  package var text: String {
    let (days, ofDay) = microseconds.floorDivided(by: 86_400_000_000)
    let (year, month, day) = civil(fromDays: days)
    let milliseconds = ofDay / 1000
    let fields: [(Int64, Int)] = [
      (year, 4), (month, 2), (day, 2), (milliseconds / 3_600_000, 2), (milliseconds / 60_000 % 60, 2),
      (milliseconds / 1000 % 60, 2), (milliseconds % 1000, 3),
    ]
    let separators: [UInt8?] = [
      UInt8(ascii: "-"), UInt8(ascii: "-"), UInt8(ascii: "T"), UInt8(ascii: ":"), UInt8(ascii: ":"),
      UInt8(ascii: "."), UInt8(ascii: "Z"),
    ]
    var text: [UInt8] = []
    for (field, separator) in zip(fields, separators) {
      let digits = Array(String(field.0).utf8)
      for _ in digits.count..<max(field.1, digits.count) { text.append(UInt8(ascii: "0")) }
      text += digits
      if let separator { text.append(separator) }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension Timestamp {
  /// An HTTP-date, as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
  package var httpDate: String {
    let (days, ofDay) = microseconds.floorDivided(by: 86_400_000_000)
    let (year, month, day) = civil(fromDays: days)
    // 1970-01-01 was a Thursday.
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(days.floorDivided(by: 7).1)]
    let name = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ][Int(month) - 1]
    func padded(_ number: Int64, _ width: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let seconds = ofDay / 1_000_000
    let time = [seconds / 3600, seconds / 60 % 60, seconds % 60].map { padded($0, 2) }.joined(separator: ":")
    return "\(weekday), \(padded(day, 2)) \(name) \(padded(year, 4)) \(time) GMT"
  }
}

extension Timestamp {
  /// Reads what ``text`` writes, and nothing else; nil for any other text.
  package init?(text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 24 else { return nil }
    func number(_ range: Range<Int>) -> Int64 {
      bytes[range].reduce(0) { $0 * 10 + Int64($1) - 48 }
    }
    let (month, year) = (number(5..<7), number(0..<4))
    // The same authors' days_from_civil.
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted.floorDivided(by: 400).0
    let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + number(8..<10) - 1
    let yearOfEra = shifted - era * 400
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + ofYear - 719_468
    let seconds = days * 86_400 + number(11..<13) * 3600 + number(14..<16) * 60 + number(17..<19)
    self.init(microseconds: (seconds * 1000 + number(20..<23)) * 1000)
    // Digits and separators at their places, and a day that exists: nothing else comes back as it was.
    guard self.text == text else { return nil }
  }
}

/// Days since 1970-01-01 to a proleptic Gregorian date (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
private func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
  let shifted = days + 719_468
  let (era, dayOfEra) = shifted.floorDivided(by: 146_097)
  let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let shiftedMonth = (5 * dayOfYear + 2) / 153
  let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
  let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
}

extension Int64 {
  fileprivate func floorDivided(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let remainder = (self % divisor + divisor) % divisor
    return ((self - remainder) / divisor, remainder)
  }
}

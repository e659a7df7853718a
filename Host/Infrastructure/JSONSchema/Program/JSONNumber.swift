import Kernel

/// A number of JSON as a document or a schema holds it.
enum JSONNumber: BitwiseCopyable, Sendable {
  case integer(Int64)
  /// Above Int64.max.
  case unsigned(UInt64)
  case double(Double)

  init?(_ kind: JSONElement.Kind) {
    switch kind {
    case .integer(let value): self = .integer(value)
    case .unsigned(let value): self = .unsigned(value)
    case .double(let value): self = .double(value)
    default: return nil
    }
  }

  init?(_ value: JSONValue) {
    switch value {
    case .integer(let number): self = .integer(number)
    case .number(let number):
      if let whole = Int64(exactly: number) {
        self = .integer(whole)
      } else {
        self = .double(number)
      }
    default: return nil
    }
  }

  var isInteger: Bool {
    if case .double(let value) = self { value.rounded(.towardZero) == value } else { true }
  }

  /// The same value in one form: what is whole and fits is an integer.
  var canonical: JSONNumber {
    guard case .double(let value) = self else { return self }
    if let whole = Int64(exactly: value) { return .integer(whole) }
    if let whole = UInt64(exactly: value) { return .unsigned(whole) }
    return self
  }

  static func == (a: JSONNumber, b: JSONNumber) -> Bool {
    switch (a.canonical, b.canonical) {
    case (.integer(let a), .integer(let b)): a == b
    case (.unsigned(let a), .unsigned(let b)): a == b
    case (.double(let a), .double(let b)): a == b
    default: false
    }
  }

  /// Exact, between integers and doubles too: Swift compares the two by value, without rounding either.
  static func < (a: JSONNumber, b: JSONNumber) -> Bool {
    switch (a, b) {
    case (.integer(let a), .integer(let b)): a < b
    case (.integer(let a), .unsigned(let b)): a < b
    case (.integer(let a), .double(let b)): less(a, b)
    case (.unsigned(let a), .integer(let b)): a < b
    case (.unsigned(let a), .unsigned(let b)): a < b
    case (.unsigned(let a), .double(let b)): less(a, b)
    case (.double(let a), .integer(let b)): less(a, b)
    case (.double(let a), .unsigned(let b)): less(a, b)
    case (.double(let a), .double(let b)): a < b
    }
  }

  var text: String {
    switch self {
    case .integer(let value): String(value)
    case .unsigned(let value): String(value)
    case .double(let value): "\(value)"
    }
  }
}

private func less(_ a: some FixedWidthInteger, _ b: Double) -> Bool {
  // Rounded up, so that an integer below `b` is below the whole number too.
  let whole = b.rounded(.up)
  return comparable(whole, as: a) { a < $0 } ?? (whole > 0)
}

private func less(_ a: Double, _ b: some FixedWidthInteger) -> Bool {
  let whole = a.rounded(.down)
  return comparable(whole, as: b) { $0 < b } ?? (whole < 0)
}

/// Nil when the whole number lies outside the integer's type.
private func comparable<Integer: FixedWidthInteger>(
  _ whole: Double, as integer: Integer, _ compare: (Integer) -> Bool
) -> Bool? {
  Integer(exactly: whole).map(compare)
}

/// The divisor of `multipleOf`, as the decimal number that the schema's author wrote: mantissa · 10^exponent.
///
/// A double counts as the shortest decimal number that reads back as it, so 0.0075 is a multiple of 0.0001.
struct Divisor: BitwiseCopyable, Sendable {
  /// As the schema has it.
  var text: String { value.rounded() == value && value < 0x1p53 ? String(Int64(value)) : "\(value)" }

  private let mantissa: UInt64
  private let exponent: Int
  let value: Double

  /// Nil unless the number is above zero.
  init?(_ number: JSONNumber) {
    switch number {
    case .integer(let whole):
      guard whole > 0 else { return nil }
      (mantissa, exponent, value) = (UInt64(whole), 0, Double(whole))
    case .unsigned(let whole):
      (mantissa, exponent, value) = (whole, 0, Double(whole))
    case .double(let fraction):
      guard fraction > 0, let decimal = Decimal(fraction) else { return nil }
      (mantissa, exponent, value) = (decimal.digits, decimal.exponent, fraction)
    }
  }

  func divides(_ number: JSONNumber) -> Bool {
    switch number.canonical {
    case .integer(let whole): return divides(whole.magnitude, tens: 0)
    case .unsigned(let whole): return divides(whole, tens: 0)
    case .double(let fraction):
      // The division of two exact doubles rounds once: it gives `fraction` back if that is the decimal number
      // `steps` · value (Clinger, "How to read floating point numbers accurately").
      if exponent <= 0, exponent >= -22 {
        let steps = (fraction.magnitude / value).rounded()
        let scaled = steps * Double(mantissa)
        if steps < 0x1p53, mantissa < 1 << 53, scaled < 0x1p53 {
          return scaled / powersOfTen[-exponent] == fraction.magnitude
        }
      }
      guard let decimal = Decimal(fraction.magnitude) else { return false }
      return divides(decimal.digits, tens: decimal.exponent)
    }
  }

  /// Whether digits · 10^tens is a multiple.
  private func divides(_ digits: UInt64, tens: Int) -> Bool {
    if digits == 0 { return true }
    if tens == 0, exponent == 0 { return digits % mantissa == 0 }
    var shift = tens - exponent
    if shift >= 0 {
      // digits · 10^shift modulo the mantissa.
      var remainder = UInt128(digits) % UInt128(mantissa)
      var factor = UInt128(10) % UInt128(mantissa)
      while shift > 0 {
        if shift & 1 == 1 { remainder = remainder * factor % UInt128(mantissa) }
        factor = factor * factor % UInt128(mantissa)
        shift >>= 1
      }
      return remainder == 0
    }
    // The number has more decimals than the divisor: those must be zeros.
    var rest = digits
    while shift < 0 {
      guard rest % 10 == 0 else { return false }
      rest /= 10
      shift += 1
    }
    return rest % mantissa == 0
  }
}

private let powersOfTen: [Double] = [
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
  1e19,
  1e20, 1e21, 1e22,
]

/// The shortest decimal number that reads back as a double.
private struct Decimal {
  var digits: UInt64 = 0
  var exponent = 0

  init?(_ value: Double) {
    var afterPoint = false
    var rest = value.description.utf8[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        digits = digits * 10 + UInt64(byte - UInt8(ascii: "0"))
        if afterPoint { exponent -= 1 }
      case UInt8(ascii: "."): afterPoint = true
      case UInt8(ascii: "e"):
        guard let power = Int(String(Substring(rest))) else { return nil }
        exponent += power
        rest = rest[rest.endIndex...]
      default: return nil
      }
    }
    while digits != 0, digits % 10 == 0 {
      digits /= 10
      exponent += 1
    }
  }
}

/// The limits of a number's value.
struct NumberRules: BitwiseCopyable, Sendable {
  var minimum: JSONNumber?
  var maximum: JSONNumber?
  var exclusiveMinimum: JSONNumber?
  var exclusiveMaximum: JSONNumber?
  var multipleOf: Divisor?
}

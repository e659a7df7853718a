import Application
import Kernel

/// Turns text parameters into the JSON object that a schema validates: each value takes the type that the schema
/// names, if its text can be read so, and stays a string if not, so that the schema's own message says what is wrong.
enum ParameterDocument {
  /// Why a parameter has no place in a document.
  struct OutOfRange: Error {
    /// The parameter's name.
    var name: ByteRange
  }

  static func write(_ fields: [Field], of head: Arena, as schema: any CompiledSchema, to arena: Arena)
    throws(OutOfRange)
  {
    arena.append("{")
    var isFirst = true
    for (index, field) in fields.enumerated() {
      let type = schema.parameterType(String(head.span(field.name)))
      if case .array(let element) = type {
        if repeats(index, in: fields, of: head) { continue }
        name(field, of: head, to: arena, &isFirst)
        arena.append("[")
        var isFirstElement = true
        for other in fields[index...] where isSame(other, field, of: head) {
          if !isFirstElement { arena.append(",") }
          isFirstElement = false
          try value(other, of: head, as: element, to: arena)
        }
        arena.append("]")
      } else {
        name(field, of: head, to: arena, &isFirst)
        try value(field, of: head, as: type, to: arena)
      }
    }
    arena.append("}")
  }

  private static func name(_ field: Field, of head: Arena, to arena: Arena, _ isFirst: inout Bool) {
    if !isFirst { arena.append(",") }
    isFirst = false
    arena.append(jsonString: head.span(field.name))
    arena.append(":")
  }

  private static func value(
    _ field: Field, of head: Arena, as type: ParameterType, to arena: Arena
  ) throws(OutOfRange) {
    let text = head.span(field.value)
    // Nothing is wrong with its type: to say so would send a model the wrong way.
    if type == .integer, isBeyond64Bits(text) { throw OutOfRange(name: field.name) }
    let isLiteral =
      switch type {
      case .string, .array: false
      case .integer: isNumber(text, integer: true)
      case .number: isNumber(text, integer: false)
      case .boolean: text.isEqual(to: "true") || text.isEqual(to: "false")
      }
    if isLiteral { arena.append(text) } else { arena.append(jsonString: text) }
  }

  /// Whether an integer is none of 64 bits with a sign.
  private static func isBeyond64Bits(_ text: Span<UInt8>) -> Bool {
    guard text.count >= 19 else { return false }
    let isNegative = text[0] == UInt8(ascii: "-")
    var value: UInt64 = 0
    var isTooLarge = false
    for index in (isNegative ? 1 : 0)..<text.count {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[index]) else { return false }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carried) = product.addingReportingOverflow(UInt64(text[index] - UInt8(ascii: "0")))
      isTooLarge = isTooLarge || overflow || carried
      value = sum
    }
    return isTooLarge || value > (isNegative ? 1 << 63 : UInt64(Int64.max))
  }

  /// The grammar of a JSON number (RFC 8259, section 6), of at most 40 characters.
  private static func isNumber(_ text: Span<UInt8>, integer: Bool) -> Bool {
    guard text.count <= 40 else { return false }
    var place = 0
    func digits() -> Int {
      let start = place
      while place < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[place]) { place += 1 }
      return place - start
    }
    if place < text.count, text[place] == UInt8(ascii: "-") { place += 1 }
    let first = place
    let whole = digits()
    if whole == 0 || whole > 1 && text[first] == UInt8(ascii: "0") { return false }
    if integer { return place == text.count && whole <= 19 }
    if place < text.count, text[place] == UInt8(ascii: ".") {
      place += 1
      if digits() == 0 { return false }
    }
    if place < text.count, text[place] | 0x20 == UInt8(ascii: "e") {
      place += 1
      if place < text.count, text[place] == UInt8(ascii: "+") || text[place] == UInt8(ascii: "-") {
        place += 1
      }
      if digits() == 0 { return false }
    }
    return place == text.count
  }

  private static func repeats(_ index: Int, in fields: [Field], of head: Arena) -> Bool {
    fields[..<index].contains { isSame($0, fields[index], of: head) }
  }

  private static func isSame(_ a: Field, _ b: Field, of head: Arena) -> Bool {
    head.span(a.name).isEqual(to: head.span(b.name))
  }
}

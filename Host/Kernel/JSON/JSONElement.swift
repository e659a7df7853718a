/// One value of a ``JSONDocument``, lent: a place on simdjson's tape (simdjson, doc/tape.md).
package struct JSONElement: ~Escapable {
  private let tape: Span<UInt64>
  private let strings: Span<UInt8>
  /// Where on the tape the value stands; equal for equal places.
  package let index: Int

  @_lifetime(copy tape, copy strings)
  init(tape: Span<UInt64>, strings: Span<UInt8>, index: Int) {
    self.tape = tape
    self.strings = strings
    self.index = index
  }

  package enum Kind: Sendable, Equatable {
    case object, array, string, null
    case bool(Bool)
    /// Fits Int64.
    case integer(Int64)
    /// Above Int64.max.
    case unsigned(UInt64)
    case double(Double)
  }

  package var kind: Kind {
    switch UInt8(truncatingIfNeeded: tape[index] >> 56) {
    case UInt8(ascii: "{"): .object
    case UInt8(ascii: "["): .array
    case UInt8(ascii: "\""): .string
    case UInt8(ascii: "l"): .integer(Int64(bitPattern: tape[index + 1]))
    case UInt8(ascii: "u"): .unsigned(tape[index + 1])
    case UInt8(ascii: "d"): .double(Double(bitPattern: tape[index + 1]))
    case UInt8(ascii: "t"): .bool(true)
    case UInt8(ascii: "f"): .bool(false)
    default: .null
    }
  }

  /// The text of a string, unescaped; nil for another kind.
  package var utf8: Span<UInt8>? {
    @_lifetime(copy self)
    get {
      guard UInt8(truncatingIfNeeded: tape[index] >> 56) == UInt8(ascii: "\"") else { return nil }
      return text(at: index)
    }
  }

  package var string: String? {
    guard let utf8 else { return nil }
    return String(utf8)
  }

  /// The elements of an array, or nothing.
  package var elements: Elements {
    @_lifetime(copy self)
    get {
      let isArray = UInt8(truncatingIfNeeded: tape[index] >> 56) == UInt8(ascii: "[")
      return Elements(tape: tape, strings: strings, from: index + 1, to: isArray ? end - 1 : index + 1)
    }
  }

  /// The members of an object in document order, duplicates included, or nothing.
  package var members: Members {
    @_lifetime(copy self)
    get {
      let isObject = UInt8(truncatingIfNeeded: tape[index] >> 56) == UInt8(ascii: "{")
      return Members(tape: tape, strings: strings, from: index + 1, to: isObject ? end - 1 : index + 1)
    }
  }

  /// The value of the first member of that name; nil when there is none, or this is not an object.
  @_lifetime(copy self)
  package func member(_ name: Span<UInt8>) -> JSONElement? {
    var members = members
    while members.next() {
      if members.key.isEqual(to: name) { return members.value }
    }
    return nil
  }

  /// How many elements or members a container has, duplicates included; 0 for another kind.
  package var count: Int {
    switch UInt8(truncatingIfNeeded: tape[index] >> 56) {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      // The tape keeps 24 bits of the count, and all ones for what does not fit.
      let kept = Int(tape[index] >> 32 & 0xFF_FFFF)
      return kept < 0xFF_FFFF ? kept : counted
    default: return 0
    }
  }

  private var counted: Int {
    var count = 0
    var elements = elements
    while elements.next() { count += 1 }
    var members = members
    while members.next() { count += 1 }
    return count
  }

  /// The value of this document whose ``index`` was that.
  @_lifetime(copy self)
  package func value(at index: Int) -> JSONElement {
    JSONElement(tape: tape, strings: strings, index: index)
  }

  /// The index after this value: containers know their end, scalars are one or two words long.
  package var end: Int {
    switch UInt8(truncatingIfNeeded: tape[index] >> 56) {
    case UInt8(ascii: "{"), UInt8(ascii: "["): Int(tape[index] & 0xFFFF_FFFF)
    case UInt8(ascii: "l"), UInt8(ascii: "u"), UInt8(ascii: "d"): index + 2
    default: index + 1
    }
  }

  @_lifetime(copy self)
  private func text(at index: Int) -> Span<UInt8> {
    let offset = Int(tape[index] & 0x00FF_FFFF_FFFF_FFFF)
    var length = 0
    for byte in (0..<4).reversed() { length = length << 8 | Int(strings[offset + byte]) }
    return strings.extracting(offset + 4..<offset + 4 + length)
  }

  /// Walks the elements of an array: `while elements.next() { elements.value … }`.
  package struct Elements: ~Escapable {
    private let tape: Span<UInt64>
    private let strings: Span<UInt8>
    private var upcoming: Int
    private let limit: Int
    private var current = 0

    @_lifetime(copy tape, copy strings)
    fileprivate init(tape: Span<UInt64>, strings: Span<UInt8>, from: Int, to: Int) {
      self.tape = tape
      self.strings = strings
      upcoming = from
      limit = to
    }

    @_lifetime(self: copy self)
    package mutating func next() -> Bool {
      guard upcoming < limit else { return false }
      current = upcoming
      upcoming = value.end
      return true
    }

    package var value: JSONElement {
      @_lifetime(copy self) get { JSONElement(tape: tape, strings: strings, index: current) }
    }
  }

  /// Walks the members of an object: `while members.next() { members.key, members.value … }`.
  package struct Members: ~Escapable {
    private let tape: Span<UInt64>
    private let strings: Span<UInt8>
    private var upcoming: Int
    private let limit: Int
    private var current = 0

    @_lifetime(copy tape, copy strings)
    fileprivate init(tape: Span<UInt64>, strings: Span<UInt8>, from: Int, to: Int) {
      self.tape = tape
      self.strings = strings
      upcoming = from
      limit = to
    }

    @_lifetime(self: copy self)
    package mutating func next() -> Bool {
      guard upcoming < limit else { return false }
      current = upcoming
      upcoming = value.end
      return true
    }

    package var key: Span<UInt8> {
      @_lifetime(copy self) get { JSONElement(tape: tape, strings: strings, index: current).utf8! }
    }

    /// The key as a value: a string.
    package var name: JSONElement {
      @_lifetime(copy self) get { JSONElement(tape: tape, strings: strings, index: current) }
    }

    package var value: JSONElement {
      @_lifetime(copy self) get { JSONElement(tape: tape, strings: strings, index: current + 1) }
    }
  }
}

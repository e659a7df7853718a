/// One value of a ``JSONDocument``, lent: a place on simdjson's tape (simdjson, doc/tape.md).
///
/// Two words, and inlined into whoever reads: a body is walked on every request. Public, which nothing else of
/// the host is, because Swift 6.3 inlines across modules only what is: `@inlinable package` stays a call.
public struct JSONElement: ~Escapable {
  @usableFromInline let tape: JSONTape
  /// Where on the tape the value stands; equal for equal places.
  public let index: Int

  @inlinable @inline(__always)
  @_lifetime(immortal)
  init(tape: JSONTape, index: Int) {
    self.tape = tape
    self.index = index
  }

  public enum Kind: Sendable, Equatable {
    case object, array, string, null
    case bool(Bool)
    /// Fits Int64.
    case integer(Int64)
    /// Above Int64.max.
    case unsigned(UInt64)
    case double(Double)
  }

  @inlinable @inline(__always)
  public var kind: Kind {
    switch tag {
    case UInt8(ascii: "{"): .object
    case UInt8(ascii: "["): .array
    case UInt8(ascii: "\""): .string
    case UInt8(ascii: "l"): .integer(Int64(bitPattern: tape.word(index + 1)))
    case UInt8(ascii: "u"): .unsigned(tape.word(index + 1))
    case UInt8(ascii: "d"): .double(Double(bitPattern: tape.word(index + 1)))
    case UInt8(ascii: "t"): .bool(true)
    case UInt8(ascii: "f"): .bool(false)
    default: .null
    }
  }

  @inlinable @inline(__always)
  var tag: UInt8 { UInt8(truncatingIfNeeded: tape.word(index) >> 56) }

  /// The text of a string, unescaped; nil for another kind.
  @inlinable @inline(__always)
  public var utf8: Span<UInt8>? {
    @_lifetime(copy self)
    get {
      guard tag == UInt8(ascii: "\"") else { return nil }
      return text(at: index)
    }
  }

  public var string: String? {
    guard let utf8 else { return nil }
    return String(utf8)
  }

  /// The elements of an array, or nothing.
  @inlinable @inline(__always)
  public var elements: Elements {
    @_lifetime(copy self)
    get { Elements(self, to: tag == UInt8(ascii: "[") ? end - 1 : index) }
  }

  /// The members of an object in document order, duplicates included, or nothing.
  @inlinable @inline(__always)
  public var members: Members {
    @_lifetime(copy self)
    get { Members(self, to: tag == UInt8(ascii: "{") ? end - 1 : index) }
  }

  /// The value of the first member of that name; nil when there is none, or this is not an object.
  @_lifetime(copy self)
  public func member(_ name: Span<UInt8>) -> JSONElement? {
    var members = members
    while members.next() {
      if members.key.isEqual(to: name) { return members.value }
    }
    return nil
  }

  /// How many elements or members a container has, duplicates included; 0 for another kind.
  @inlinable @inline(__always)
  public var count: Int {
    switch tag {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      // The tape keeps 24 bits of the count, and all ones for what does not fit.
      let kept = Int(tape.word(index) >> 32 & 0xFF_FFFF)
      return kept < 0xFF_FFFF ? kept : counted
    default: return 0
    }
  }

  @usableFromInline
  var counted: Int {
    // A key takes one word.
    let isObject = tag == UInt8(ascii: "{")
    let limit = end - 1
    var count = 0
    var next = index + 1
    while next < limit {
      next = value(at: isObject ? next + 1 : next).end
      count += 1
    }
    return count
  }

  /// The value of this document whose ``index`` was that.
  @inlinable @inline(__always)
  @_lifetime(copy self)
  public func value(at index: Int) -> JSONElement {
    JSONElement(tape: tape, index: index)
  }

  /// The index after this value: containers know their end, scalars are one or two words long.
  @inlinable @inline(__always)
  public var end: Int {
    switch tag {
    case UInt8(ascii: "{"), UInt8(ascii: "["): Int(tape.word(index) & 0xFFFF_FFFF)
    case UInt8(ascii: "l"), UInt8(ascii: "u"), UInt8(ascii: "d"): index + 2
    default: index + 1
    }
  }

  /// The length of a string and its first four bytes as one number: two strings whose digests differ, differ.
  /// 0 for another kind.
  @inlinable @inline(__always)
  public var digest: UInt64 { tag == UInt8(ascii: "\"") ? tape.digest(tape.word(index)) : 0 }

  /// Walks the elements of an array: `while elements.next() { elements.value … }`.
  public struct Elements: ~Escapable {
    @usableFromInline let array: JSONElement
    @usableFromInline var upcoming: Int
    @usableFromInline let limit: Int
    @usableFromInline var current: Int

    @inlinable @inline(__always)
    @_lifetime(copy array)
    init(_ array: JSONElement, to limit: Int) {
      self.array = array
      self.limit = limit
      current = array.index
      upcoming = array.index + 1
    }

    @inlinable @inline(__always)
    @_lifetime(self: copy self)
    public mutating func next() -> Bool {
      guard upcoming < limit else { return false }
      current = upcoming
      upcoming = array.value(at: current).end
      return true
    }

    @inlinable @inline(__always)
    public var value: JSONElement {
      @_lifetime(copy self) get { array.value(at: current) }
    }
  }

  /// Walks the members of an object: `while members.next() { members.key, members.value … }`.
  public struct Members: ~Escapable {
    @usableFromInline let object: JSONElement
    @usableFromInline var upcoming: Int
    @usableFromInline let limit: Int
    @usableFromInline var current: Int

    @inlinable @inline(__always)
    @_lifetime(copy object)
    init(_ object: JSONElement, to limit: Int) {
      self.object = object
      self.limit = limit
      current = object.index
      upcoming = object.index + 1
    }

    @inlinable @inline(__always)
    @_lifetime(self: copy self)
    public mutating func next() -> Bool {
      guard upcoming < limit else { return false }
      current = upcoming
      upcoming = object.value(at: current + 1).end
      return true
    }

    @inlinable @inline(__always)
    public var key: Span<UInt8> {
      @_lifetime(copy self) get { object.text(at: current) }
    }

    /// The key as a value: a string.
    @inlinable @inline(__always)
    public var name: JSONElement {
      @_lifetime(copy self) get { object.value(at: current) }
    }

    @inlinable @inline(__always)
    public var value: JSONElement {
      @_lifetime(copy self) get { object.value(at: current + 1) }
    }
  }
}

/// A place in an ``Arena``: byte offset and count.
public struct ByteRange: Sendable, Equatable {
  public var offset: UInt32
  public var count: UInt32

  public static let empty = ByteRange(offset: 0, count: 0)

  @inlinable
  public init(offset: Int, count: Int) {
    self.offset = UInt32(offset)
    self.count = UInt32(count)
  }

  @inlinable public var isEmpty: Bool { count == 0 }
  @inlinable public var start: Int { Int(offset) }
  @inlinable public var end: Int { Int(offset) + Int(count) }
}

/// Growing bytes that are reused from request to request.
///
/// What is appended is named by a ``ByteRange`` and read as a lent span. One thread at a time uses an
/// arena; its owner says which. A span must not be held across an append: an arena that grows moves.
///
/// Public for the sake of inlining: some fifty small appends make a request, a tenth of its instructions.
@safe
public final class Arena {
  @usableFromInline var base: UnsafeMutablePointer<UInt8>
  @usableFromInline var capacity: Int
  @usableFromInline var used = 0
  @inlinable public var count: Int { used }

  public init(capacity: Int = 1024) {
    precondition(capacity > 0 && capacity <= Int(UInt32.max))
    self.capacity = capacity
    unsafe base = .allocate(capacity: capacity)
  }

  deinit { unsafe base.deallocate() }

  @inlinable
  public var all: ByteRange { ByteRange(offset: 0, count: count) }

  /// Forgets the content; gives memory beyond `retained` bytes back, so that one large request does not
  /// stay with its connection.
  @inlinable
  public func removeAll(retaining retained: Int = 64 * 1024) {
    used = 0
    guard capacity > retained else { return }
    unsafe base.deallocate()
    capacity = max(retained, 16)
    unsafe base = .allocate(capacity: capacity)
  }

  /// Forgets what was appended after `count` was this.
  @inlinable
  public func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count)
    used = count
  }

  @inlinable
  public subscript(offset: Int) -> UInt8 {
    get {
      precondition(offset >= 0 && offset < count)
      // Safe: bounds checked above; the first `count` bytes are initialised.
      return unsafe base[offset]
    }
    set {
      precondition(offset >= 0 && offset < count)
      // Safe: as above.
      unsafe base[offset] = newValue
    }
  }

  /// The bytes of `range`, lent until the next append or removal.
  @_lifetime(borrow self)
  @inlinable
  public func span(_ range: ByteRange) -> Span<UInt8> {
    precondition(range.end <= count)
    // Safe: the range lies within the initialised bytes, which live as long as the arena does.
    let span = unsafe Span(_unsafeStart: base + range.start, count: Int(range.count))
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// The address of `range`, for C. Valid until the next append or removal.
  @unsafe
  @inlinable
  public func pointer(_ range: ByteRange) -> UnsafePointer<UInt8> {
    precondition(range.end <= count)
    return unsafe UnsafePointer(base + range.start)
  }

  @discardableResult
  @inlinable
  public func append(_ bytes: Span<UInt8>) -> ByteRange {
    let start = count
    reserve(bytes.count)
    // Safe: `reserve` made room. A span of this arena's own bytes must not be passed when it may grow;
    // `copy(_:)` is for that.
    unsafe bytes.withUnsafeBufferPointer { source in
      if let from = source.baseAddress { unsafe (base + start).update(from: from, count: source.count) }
    }
    used = start + bytes.count
    return ByteRange(offset: start, count: bytes.count)
  }

  /// Appends `length` bytes that C lends.
  @unsafe @discardableResult
  @inlinable
  public func append(_ pointer: UnsafePointer<UInt8>, count length: Int) -> ByteRange {
    let start = count
    reserve(length)
    unsafe (base + start).update(from: pointer, count: length)
    used = start + length
    return ByteRange(offset: start, count: length)
  }

  /// Appends what `write` puts into room for `capacity` bytes; it returns how many it wrote.
  @unsafe @discardableResult
  @inlinable
  public func append(
    upTo capacity: Int, _ write: (UnsafeMutablePointer<UInt8>) -> Int
  ) -> ByteRange {
    let start = count
    reserve(capacity)
    let written = unsafe write(base + start)
    precondition(written >= 0 && written <= capacity)
    used = start + written
    return ByteRange(offset: start, count: written)
  }

  /// Appends a copy of bytes that are in this arena already.
  @discardableResult
  @inlinable
  public func copy(_ range: ByteRange) -> ByteRange {
    precondition(range.end <= count)
    let start = count
    reserve(Int(range.count))
    // Safe: source and destination lie within the allocation and do not overlap.
    unsafe (base + start).update(from: base + range.start, count: Int(range.count))
    used = start + Int(range.count)
    return ByteRange(offset: start, count: Int(range.count))
  }

  @inlinable
  public func append(_ byte: UInt8) {
    reserve(1)
    // Safe: `reserve` made room for one byte.
    unsafe base[count] = byte
    used += 1
  }

  @discardableResult
  @inlinable
  public func append(_ text: StaticString) -> ByteRange {
    // Safe: a static string's bytes live forever.
    unsafe append(text.utf8Start, count: text.utf8CodeUnitCount)
  }

  @discardableResult
  @inlinable
  public func append(_ text: String) -> ByteRange {
    append(text.utf8.span)
  }

  @discardableResult
  @inlinable
  public func append(_ bytes: [UInt8]) -> ByteRange {
    append(bytes.span)
  }

  /// Appends a number in decimal.
  @discardableResult
  @inlinable
  public func append(decimal number: Int) -> ByteRange {
    let start = count
    if number < 0 { append(UInt8(ascii: "-")) }
    var rest = number.magnitude
    var digits = 1
    var bound: UInt = 10
    while digits < 20, rest >= bound {
      digits += 1
      bound = bound > UInt.max / 10 ? .max : bound * 10
    }
    reserve(digits)
    for place in (count..<count + digits).reversed() {
      // Safe: `reserve` made room for the digits.
      unsafe base[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    used += digits
    return ByteRange(offset: start, count: count - start)
  }

  /// Appends a word as 16 lower-case hex digits, the highest first.
  @inlinable
  public func append(hex word: UInt64) {
    reserve(16)
    // Safe: `reserve` made room for 16 bytes.
    let target = unsafe base + count
    var rest = word
    for place in (0..<16).reversed() {
      let digit = UInt8(truncatingIfNeeded: rest & 15)
      // '0' to '9', then 'a' to 'f', without a branch.
      unsafe target[place] = digit &+ UInt8(ascii: "0") &+ (digit > 9 ? 39 : 0)
      rest >>= 4
    }
    used += 16
  }

  @inlinable
  func reserve(_ more: Int) {
    if count + more > capacity { grow(to: count + more) }
  }

  @usableFromInline
  func grow(to needed: Int) {
    precondition(needed <= Int(UInt32.max), "an arena names its bytes with 32 bits")
    let larger = max(needed, capacity * 2)
    // Safe: the old bytes are copied before their memory is given back.
    let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
    unsafe moved.update(from: base, count: count)
    unsafe base.deallocate()
    unsafe base = moved
    capacity = larger
  }
}

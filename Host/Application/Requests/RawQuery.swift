package import Kernel

/// A query string with one parameter set: the others stay as they came.
package enum RawQuery {
  /// Appends `a=1&b=2&name=value` for the query at `range`, without what was called `name` before.
  package static func write(
    _ range: ByteRange, of head: Arena, setting name: StaticString, to value: Span<UInt8>, in arena: Arena
  ) {
    var start = range.start
    while start < range.end {
      var end = start
      while end < range.end, head[end] != UInt8(ascii: "&") { end += 1 }
      if end > start, !isNamed(name, head, start, end) {
        for place in start..<end { append(head[place], isKept(head[place]), to: arena) }
        arena.append(UInt8(ascii: "&"))
      }
      start = end + 1
    }
    arena.append(name)
    arena.append(UInt8(ascii: "="))
    for index in value.indices { append(value[index], isUnreserved(value[index]), to: arena) }
  }

  /// Appends a path as it came, without what must not stand in a URI (RFC 3986).
  package static func write(path range: ByteRange, of head: Arena, in arena: Arena) {
    for place in range.start..<range.end { append(head[place], isKept(head[place]), to: arena) }
  }

  private static func append(_ byte: UInt8, _ isPlain: Bool, to arena: Arena) {
    if isPlain { return arena.append(byte) }
    arena.append(UInt8(ascii: "%"))
    arena.append(upper(byte >> 4))
    arena.append(upper(byte & 15))
  }

  private static func upper(_ digit: UInt8) -> UInt8 {
    digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
  }

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    let letter = byte | 0x20
    return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
      || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~")
  }

  /// What may stand in a path or query as it is: neither a delimiter of a header nor of the text around a URI.
  private static func isKept(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "^"),
      UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"), UInt8(ascii: "#"):
      false
    default: byte > 0x20 && byte < 0x7F
    }
  }

  /// Whether the parameter in `start..<end` has this name, however it is encoded.
  private static func isNamed(_ name: StaticString, _ head: Arena, _ start: Int, _ end: Int) -> Bool {
    var name = name.description.utf8.makeIterator()
    var place = start
    while place < end, head[place] != UInt8(ascii: "=") {
      var byte = head[place]
      place += 1
      if byte == UInt8(ascii: "%"), place + 1 < end, let high = Hex.value(of: head[place]),
        let low = Hex.value(of: head[place + 1])
      {
        byte = high << 4 | low
        place += 2
      }
      guard name.next() == byte else { return false }
    }
    return name.next() == nil
  }
}

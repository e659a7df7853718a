import Kernel

/// Removes members of a JSON object from its bytes and leaves every other byte as it came: a number keeps its digits, a
/// text its escapes.
enum MemberCut {
  /// `isCut` has an entry for each member, in document order. The bytes are a valid document whose root is an object.
  static func remove(_ isCut: [Bool], from bytes: Arena) {
    let text = bytes.span(bytes.all)
    let members = JSONText.members(of: JSONText.root(of: text), in: text)
    var target = 0
    func put(_ byte: UInt8) {
      bytes[target] = byte
      target += 1
    }
    put(UInt8(ascii: "{"))
    for (member, isCut) in zip(members, isCut) where !isCut {
      if target > 1 { put(UInt8(ascii: ",")) }
      // Never ahead of what is read: each member stood behind the brace or comma that is written before it.
      for place in member.key.lowerBound - 1..<member.value.upperBound { put(bytes[place]) }
    }
    put(UInt8(ascii: "}"))
    bytes.truncate(to: target)
  }
}

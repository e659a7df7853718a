import Application
import Kernel

/// The chain that ties each line of the trail to all before it: a line's hash is HMAC-SHA256, under the trail's key,
/// of the hash before and the line's bytes up to its own hash.
struct HashChain {
  private let mac: any DigestStream
  /// Of the last line.
  var last: Digest256

  init(_ mac: any DigestStream, from last: Digest256 = Digest256()) {
    self.mac = mac
    self.last = last
  }

  /// The bytes between a line's content and its end: `,"hash":"` and `"}` around 64 digits.
  static let sealCount = 9 + 64 + 2

  /// Ends the line that begins at `start` of `arena` and has no closing brace yet.
  mutating func seal(_ arena: Arena, from start: Int) {
    advance(over: arena.span(ByteRange(offset: start, count: arena.count - start)))
    arena.append(",\"hash\":\"")
    last.withSpan { bytes in
      for first in stride(from: 0, to: bytes.count, by: 8) {
        var word: UInt64 = 0
        for index in first..<first + 8 { word = word << 8 | UInt64(bytes[index]) }
        arena.append(hex: word)
      }
    }
    arena.append("\"}\n")
  }

  /// Whether the line, without its line feed, follows the last one; moves on when it does.
  mutating func accepts(_ line: Span<UInt8>) -> Bool {
    guard let claimed = HashChain.hash(of: line) else { return false }
    let before = last
    advance(over: line.extracting(0..<line.count - HashChain.sealCount))
    if last == claimed { return true }
    last = before
    return false
  }

  /// The hash at the end of a line; nil when the line does not end in one.
  static func hash(of line: Span<UInt8>) -> Digest256? {
    guard line.count > sealCount else { return nil }
    let seal = line.extracting(line.count - sealCount..<line.count)
    guard seal.extracting(0..<9).isEqual(to: ",\"hash\":\""), seal.extracting(73..<75).isEqual(to: "\"}")
    else {
      return nil
    }
    return Digest256(hex: String(seal.extracting(9..<73)))
  }

  private mutating func advance(over content: Span<UInt8>) {
    mac.begin()
    last.withSpan { mac.update($0) }
    mac.update(content)
    last = mac.finish()
  }
}

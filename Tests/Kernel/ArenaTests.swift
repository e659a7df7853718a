import Kernel
import Testing

@Suite struct ArenaTests {
  private func text(_ arena: Arena, _ range: ByteRange) -> String { String(arena.span(range)) }

  @Test func namesWhatWasAppended() {
    let arena = Arena(capacity: 4)
    let first = arena.append("static")
    let second = arena.append(String("héllo"))
    let third = arena.append([1, 2, 3] as [UInt8])
    let fourth = arena.append(Array("span".utf8).span)
    arena.append(UInt8(ascii: "!"))
    #expect(text(arena, first) == "static")
    #expect(text(arena, second) == "héllo")
    let bytes = [UInt8](arena.span(third))
    #expect(bytes == [1, 2, 3])
    #expect(text(arena, fourth) == "span")
    #expect(arena.count == 6 + 6 + 3 + 4 + 1)
    #expect(arena.all == ByteRange(offset: 0, count: arena.count))
    #expect(text(arena, .empty) == "")
  }

  @Test func keepsItsContentWhenItGrows() {
    let arena = Arena(capacity: 1)
    let ranges = (0..<1000).map { arena.append(decimal: $0) }
    #expect(ranges.enumerated().allSatisfy { text(arena, $0.element) == String($0.offset) })
  }

  @Test(arguments: [0, 7, -7, 10, 99, 100, -100, Int.max, Int.min]) func writesDecimals(number: Int) {
    let arena = Arena()
    #expect(text(arena, arena.append(decimal: number)) == String(number))
  }

  @Test func copiesItsOwnBytes() {
    let arena = Arena(capacity: 4)
    let range = arena.append("four")
    // Grows, and so moves, between reading and writing.
    let copy = arena.copy(range)
    #expect(text(arena, copy) == "four")
    #expect(copy.start == 4 && copy.end == 8)
    #expect(text(arena, arena.all) == "fourfour")
  }

  @Test func readsAndChangesSingleBytes() {
    let arena = Arena()
    arena.append("abc")
    arena[1] = UInt8(ascii: "X")
    #expect(arena[1] == UInt8(ascii: "X"))
    #expect(text(arena, arena.all) == "aXc")
  }

  @Test func forgetsWhatComesAfterAMark() {
    let arena = Arena()
    arena.append("keep")
    let mark = arena.count
    arena.append("drop")
    arena.truncate(to: mark)
    #expect(text(arena, arena.all) == "keep")
    arena.append("more")
    #expect(text(arena, arena.all) == "keepmore")
  }

  @Test func isReusedAfterRemovingAll() {
    let arena = Arena(capacity: 8)
    for round in 0..<3 {
      arena.removeAll(retaining: 16)
      #expect(arena.count == 0)
      let range = arena.append([UInt8](repeating: UInt8(round), count: 100_000))
      let last = arena[range.end - 1]
      #expect(last == UInt8(round))
    }
  }

  /// In a process of its own: memory is counted for all of it. The address sanitizer would keep it.
  @Test(.disabled(if: isAddressSanitized)) func givesUnusualMemoryBack() async {
    await #expect(processExitsWith: .success) {
      let arena = Arena()
      let bytes = [UInt8](repeating: 1, count: 64 << 20)
      let before = residentBytes()
      arena.append(bytes)
      let during = residentBytes()
      arena.removeAll()
      let after = residentBytes()
      precondition(during - before > 60 << 20, "\(before), \(during)")
      precondition(after - before < 32 << 20, "\(before), \(after)")
    }
  }

  @Test func comparesSpans() {
    let arena = Arena()
    let range = arena.append("name")
    let answers = [
      arena.span(range).isEqual(to: "name"), arena.span(range).isEqual(to: "nam"),
      arena.span(range).isEqual(to: "namE"), arena.span(.empty).isEqual(to: ""),
      arena.span(range).isEqual(to: arena.span(arena.copy(range))),
    ]
    #expect(answers == [true, false, false, true, true])
    let text = String([0x61, 0xFF].span)
    #expect(text == "a\u{FFFD}")
  }
}

import Application
import Kernel
import Testing

/// Events out of pieces that end anywhere.
@Suite struct EventReaderTests {
  private func read(_ text: String, piece: Int, maxBytes: Int = 1000) -> [String] {
    var reader = EventReader(maxBytes: maxBytes)
    var found: [String] = []
    func note(_ event: EventReader.Event) {
      found.append(
        [event.name, event.id, event.data].map { String(decoding: $0, as: UTF8.self) }.joined(separator: "|"))
    }
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: piece) {
      let part = Array(bytes[start..<min(bytes.count, start + piece)])
      reader.read(part.span, note)
    }
    reader.end(note)
    return found
  }

  @Test(arguments: [1, 2, 3, 1000]) func linesEndInEachOfThreeWays(_ piece: Int) {
    for end in ["\n", "\r", "\r\n"] {
      let text = [
        "event: a", "id:1", "data: x", "data:  y", "", ": comment", "", "id: 9", "", "data", "", "other: z",
        "data:last",
      ].joined(separator: end)
      #expect(read(text, piece: piece) == ["a|1|x\n y", "||", "||last"], "\(end.debugDescription)")
    }
  }

  @Test func whatIsTooLongShowsItByOneByte() {
    #expect(read("data: 12345\n\n", piece: 100, maxBytes: 11) == ["||12345"])
    #expect(read("data:123\ndata:456\ndata:78\n\n", piece: 4, maxBytes: 10) == ["||123\n456\n78"])
    let more = "data:123\ndata:456\ndata:7890\n" + String(repeating: "data\n", count: 100) + "\n"
    #expect(read(more, piece: 4, maxBytes: 10) == ["||123\n456\n789"])
  }
}

import Domain
import Kernel
import Testing

@Suite struct SearchWordsTests {
  private func words(_ text: String) -> [String]? {
    (try? RecordLimits().words(of: text.utf8.span))?.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(arguments: [
    ("red shoes", ["red", "shoes"]), ("  red,shoes!", ["red", "shoes"]), ("a-b_c", ["a", "b", "c"]),
    ("red red Red", ["red", "Red"]), ("e\u{301}t\u{E9}", ["e\u{301}t\u{E9}"]),
    ("\"NEAR(x y)\"*^", ["NEAR", "x", "y"]),
    ("日本語 ½ ٣", ["日本語", "½", "٣"]), ("x\u{0}y", ["x", "y"]), ("👟shoe", ["shoe"]),
  ])
  func areRunsOfLettersDigitsAndMarks(text: String, expected: [String]) {
    #expect(words(text) == expected)
  }

  @Test(arguments: ["", " ", "\"\"", "+-*:^(){}", "👟"])
  func textWithoutAWordIsRefused(text: String) { #expect(words(text) == nil) }

  @Test func sixteenAreTakenAndOneMoreRefused() {
    let sixteen = (1...16).map { "w\($0)" }.joined(separator: " ")
    #expect(words(sixteen)?.count == 16)
    #expect(words(sixteen + " w1")?.count == 16)
    #expect(words(sixteen + " w17") == nil)
    #expect(words(String(repeating: "x", count: 1024)) != nil)
    #expect(words(String(repeating: "x", count: 1025)) == nil)
  }
}

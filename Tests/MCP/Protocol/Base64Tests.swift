import Kernel
import Testing

@testable import MCP

@Suite struct Base64Tests {
  @Test(arguments: ["", "f", "fo", "foo", "foob", "fooba", "foobar"])
  func bytesComeBack(text: String) {
    let arena = Arena()
    Base64.append(text.utf8.span, to: arena)
    #expect(Base64.decode(arena.span(arena.all)) == Array(text.utf8))
  }

  @Test func spellsAsTheStandardSays() {
    let arena = Arena()
    Base64.append([0xFB, 0xFF, 0xFE, 0x00].span, to: arena)
    #expect(String(arena.span(arena.all)) == "+//+AA==")
  }

  @Test(arguments: ["Zg", "Zg=", "Zh==", "Zm9=", "Z===", "Zm9v====", "Zm 9", "Zm9_", "=Zm9", "Zg==Zg=="])
  func takesOneSpellingOnly(text: String) {
    #expect(Base64.decode(text.utf8.span) == nil)
  }
}

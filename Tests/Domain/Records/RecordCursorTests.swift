import Domain
import Kernel
import Testing

@Suite struct RecordCursorTests {
  private let limits = RecordLimits()

  @Test func comesBackAsItWas() {
    let cursor = RecordCursor(
      shape: 0xFEDC_BA98_7654_3210,
      values: [.null, .integer(.min), .number(-0.1), .boolean(true), .text(Array("é\u{1F600}".utf8))])
    let text = cursor.text
    #expect(RecordCursor(text.utf8.span, limits: limits) == cursor)
    #expect(
      text.utf8.allSatisfy { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "+") })
  }

  @Test func everyCutAndEveryChangedByteIsRefusedOrHarmless() {
    let text = RecordCursor(shape: 7, values: [.integer(5), .text([97, 98]), .text([99])]).text
    for end in 0..<text.utf8.count {
      if let cut = RecordCursor(String(text.prefix(end)).utf8.span, limits: limits) {
        #expect(cut.values.count < 3)
      }
    }
    for place in text.utf8.indices {
      for byte: UInt8 in [0, 65, 61, 255] {
        var bytes = Array(text.utf8)
        bytes[text.utf8.distance(from: text.utf8.startIndex, to: place)] = byte
        _ = RecordCursor(bytes.span, limits: limits)
      }
    }
  }

  @Test func isBounded() {
    let largest = RecordCursor(shape: 1, values: [.text([UInt8](repeating: 97, count: 3054))])
    #expect(largest.text.utf8.count == 4096)
    #expect(RecordCursor(largest.text.utf8.span, limits: limits) == largest)
    let larger = RecordCursor(shape: 1, values: [.text([UInt8](repeating: 97, count: 3055))])
    #expect(RecordCursor(larger.text.utf8.span, limits: limits) == nil)
    let many = RecordCursor(shape: 1, values: [RecordValue](repeating: .null, count: 6))
    #expect(RecordCursor(many.text.utf8.span, limits: limits) == nil)
  }

  @Test func refusesWhatNoRecordHolds() {
    for value: RecordValue in [.text([0]), .text([0xFF]), .number(.nan)] {
      let text = RecordCursor(shape: 1, values: [value]).text
      #expect(RecordCursor(text.utf8.span, limits: limits) == nil)
    }
  }

  @Test func fitsAnOrderByTypeAndNull() throws {
    let schema = try RecordSchema(
      CollectionDeclaration(
        name: "c",
        fields: [FieldDeclaration(name: "n", type: .number), FieldDeclaration(name: "b", type: .boolean)]))
    let order = [
      RecordQuery.Order(member: 1, descending: false), RecordQuery.Order(member: 0, descending: false),
    ]
    func fits(_ values: [RecordValue]) -> Bool {
      RecordCursor(shape: 0, values: values).fits(order, of: schema)
    }
    #expect(fits([.number(1), .text([97])]))
    #expect(fits([.null, .text([97])]))
    #expect(!fits([.number(1), .null]))
    #expect(!fits([.integer(1), .text([97])]))
    #expect(!fits([.number(1)]))
    #expect(!fits([.number(1), .text([97]), .null]))
  }

  @Test(arguments: [
    ("abc", "abd"), ("a\u{7F}", "a\u{80}"), ("\u{D7FF}", "\u{E000}"), ("a\u{10FFFF}", "b"), ("é", "ê"),
  ])
  func aPrefixEndsBeforeTheNextText(_ prefix: String, _ bound: String) {
    #expect(upperBound(ofPrefix: Array(prefix.utf8)) == Array(bound.utf8))
  }

  @Test func thereIsNothingAfterTheLastCharacter() {
    #expect(upperBound(ofPrefix: Array("\u{10FFFF}\u{10FFFF}".utf8)) == nil)
  }
}

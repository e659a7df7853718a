import Kernel
import Testing

/// What is a document, and what is not.
@Suite struct JSONDocumentTests {
  private func error(_ bytes: [UInt8], maxDepth: Int = JSONDocument.defaultMaxDepth) -> JSONError? {
    let document = JSONDocument(maxDepth: maxDepth)
    do throws(JSONError) {
      try document.parse(bytes.span)
      return nil
    } catch {
      return error
    }
  }

  private func count(_ document: JSONDocument) -> Int { document.root.count }

  private func error(_ text: String) -> JSONError? { error(Array(text.utf8)) }

  private func nested(_ depth: Int) -> [UInt8] {
    Array(String(repeating: "[", count: depth).utf8) + Array(String(repeating: "]", count: depth).utf8)
  }

  private func nestedObjects(_ depth: Int) -> [UInt8] {
    Array(
      (String(repeating: #"{"a":"#, count: depth - 1) + "{}" + String(repeating: "}", count: depth - 1)).utf8)
  }

  @Test func takesSixtyFourLevelsAndNoMore() {
    #expect(error(nested(64)) == nil)
    #expect(error(nested(65)) == .tooDeep)
    #expect(error(nestedObjects(64)) == nil)
    #expect(error(nestedObjects(65)) == .tooDeep)
    #expect(error(nested(10_000)) == .tooDeep)
  }

  @Test func takesAsManyLevelsAsItIsTold() {
    #expect(error(nested(3), maxDepth: 3) == nil)
    #expect(error(nested(4), maxDepth: 3) == .tooDeep)
    #expect(error(nested(1000), maxDepth: 1000) == nil)
  }

  @Test(arguments: [
    "{}", "[]", "null", "true", "false", "0", "-0", "1e5", "\"\"", " \t\r\n1 \n", "[1,[2,{\"a\":[]}]]",
  ])
  func takesDocuments(text: String) { #expect(error(text) == nil) }

  @Test(
    arguments: [
      "{", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "[1 2]", "tru", "nul", "NaN", "Infinity",
      "01", "+1", "1.",
      ".5", "1e", "--1", "0x10", "{}{}", "1 2", "]", "\"a", "\"\\x\"", "\"\\u12\"", "\"a\nb\"", "'a'",
      "[1]//", "\u{FEFF}1",
    ])
  func refusesWhatIsNone(text: String) { #expect(error(text) != nil) }

  @Test func refusesNothing() {
    #expect(error("") == .empty)
    #expect(error("  \n ") == .empty)
  }

  @Test func refusesHalfOfASurrogatePair() {
    // Every string of a document is valid UTF-8: patterns rely on it.
    #expect(error(#""\ud800""#) == .badString)
    #expect(error(#""\udc00""#) == .badString)
    #expect(error(#""\ud800\u0041""#) == .badString)
    #expect(error(#""\ud83d\ude00""#) == nil)
  }

  @Test(
    arguments: [[0xFF], [0xC0, 0x80], [0xC3], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]]
      as [[UInt8]])
  func refusesInvalidUTF8(bytes: [UInt8]) {
    #expect(error([0x22] + bytes + [0x22]) == .invalidUTF8)
  }

  @Test func takesEscapedNULAndRefusesBareOnes() throws {
    let document = JSONDocument()
    try document.parse(Array(#"{"a\u0000":"b\u0000c"}"#.utf8).span)
    var members = document.root.members
    let hasMember = members.next()
    let key = [UInt8](members.key)
    #expect(hasMember)
    #expect(key == [97, 0])
    let text = members.value.string
    #expect(text == "b\0c")
    #expect(error([0x22, 0x00, 0x22]) != nil)
    #expect(error([0x31, 0x00]) != nil)
    #expect(error([0x00]) != nil)
  }

  @Test func takesNumbersThatFitAndRefusesOthers() throws {
    let document = JSONDocument()
    let numbers: [(String, JSONElement.Kind)] = [
      ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
      ("9223372036854775808", .unsigned(9_223_372_036_854_775_808)),
      ("18446744073709551615", .unsigned(.max)),
      ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
      ("5e-324", .double(.leastNonzeroMagnitude)),
      ("1e-400", .double(0)), ("-0", .integer(0)), ("-0.0", .double(-0.0)), ("1.0", .double(1)),
      ("123456789012345678901234567890.0", .double(123_456_789_012_345_677_877_719_597_056)),
    ]
    for (text, expected) in numbers {
      try document.parse(Array(text.utf8).span)
      let kind = document.root.kind
      #expect(kind == expected, "\(text)")
    }
    for text in [
      "18446744073709551616", "-9223372036854775809", "1e309", "-1e309", String(repeating: "9", count: 400),
    ] {
      #expect(error(text) == .numberOutOfRange, "\(text)")
    }
  }

  @Test func refusesEveryTruncationOfADocument() {
    let bytes = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",{"b":null,"c":[true,false]}],"d":""}"#.utf8)
    #expect(error(bytes) == nil)
    for count in 0..<bytes.count { #expect(error(Array(bytes[..<count])) != nil, "\(count) bytes") }
  }

  @Test func keepsKeysThatRepeat() throws {
    let document = JSONDocument()
    try document.parse(Array(#"{"a":1,"b":2,"a":3}"#.utf8).span)
    var names: [String] = []
    var members = document.root.members
    while members.next() { names.append(String(members.key)) }
    #expect(names == ["a", "b", "a"])
    #expect(count(document) == 3)
    let first = document.root.member("a".utf8.span)!.kind
    #expect(first == .integer(1))
    let value = JSONValue(document.root)
    #expect(value == ["a": 3, "b": 2])
  }

  @Test func walksWhatItParsed() throws {
    let document = JSONDocument()
    try document.parse(Array(#"[{"k":[1,2]},"s",[],3.5,{}]"#.utf8).span)
    let root = document.root
    let (count, kind) = (root.count, root.kind)
    #expect(count == 5 && kind == .array)
    var kinds: [JSONElement.Kind] = []
    var elements = root.elements
    while elements.next() { kinds.append(elements.value.kind) }
    #expect(kinds == [.object, .string, .array, .double(3.5), .object])
    // What does not fit the kind is nothing.
    var members = root.members
    let hasMember = members.next()
    let hasText = root.utf8 != nil || root.string != nil
    let hasNamed = root.member("k".utf8.span) != nil
    let digest = root.digest
    #expect(!hasMember && !hasText && !hasNamed && digest == 0)
  }

  @Test func countsMoreThanTheTapeKeeps() throws {
    // The tape has 24 bits for a count.
    let count = 1 << 24
    let bytes = Array(("[" + String(repeating: "0,", count: count - 1) + "0]").utf8)
    let document = JSONDocument()
    try document.parse(bytes.span)
    #expect(self.count(document) == count)
  }

  @Test func digestsTellStringsApart() throws {
    let document = JSONDocument()
    let texts = ["", "a", "b", "ab", "abc", "abcd", "abce", "abcde", "a\0"]
    try document.parse(JSON.encode(.array(texts.map(JSONValue.string))).span)
    var digests: [UInt64] = []
    var elements = document.root.elements
    while elements.next() { digests.append(elements.value.digest) }
    #expect(Set(digests).count == texts.count)
    // The same text, wherever it stands, has the same digest.
    try document.parse(Array(#"["ab","xxxx","ab","yyyy","\u0061b"]"#.utf8).span)
    digests = []
    elements = document.root.elements
    while elements.next() { digests.append(elements.value.digest) }
    #expect(digests[0] == digests[2] && digests[0] == digests[4])
    // Beyond four bytes only the length counts.
    try document.parse(Array(#"["abcdX","abcdY"]"#.utf8).span)
    #expect(count(document) == 2)
  }

  @Test func isReusedAfterAnError() throws {
    let document = JSONDocument()
    for _ in 0..<3 {
      #expect(throws: JSONError.self) { try document.parse(Array("[1,".utf8).span) }
      try document.parse(Array("[1]".utf8).span)
      #expect(count(document) == 1)
    }
  }

  @Test func takesLargeDocumentsAndSmallOnesAfterThem() throws {
    let document = JSONDocument()
    let large = Array(
      ("[" + Array(repeating: #""0123456789""#, count: 200_000).joined(separator: ",") + "]").utf8)
    for _ in 0..<3 {
      try document.parse(large.span)
      #expect(count(document) == 200_000)
      try document.parse(Array(#"{"a":"b"}"#.utf8).span)
      let text = document.root.member("a".utf8.span)!.string
      #expect(text == "b")
    }
  }

  /// In a process of its own: memory is counted for all of it. The address sanitizer would keep it.
  @Test(.disabled(if: isAddressSanitized)) func givesTheMemoryOfALargeDocumentBack() async {
    await #expect(processExitsWith: .success) {
      let document = JSONDocument()
      let large = Array(("[" + String(repeating: "1,", count: 8_000_000) + "1]").utf8)
      let before = residentBytes()
      try document.parse(large.span)
      let during = residentBytes()
      try document.parse(Array("[1]".utf8).span)
      let after = residentBytes()
      // 16 MB of text take 128 MB of tape.
      precondition(during - before > 100 << 20, "\(before), \(during)")
      precondition(after - before < 32 << 20, "\(before), \(after)")
    }
  }
}

import Application
import Cryptography
import FoundationEssentials
import Kernel
import Testing

@Suite struct FieldCipherTests {
  private static func key(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

  private let cipher = OpenSSLFieldCipher(keys: [key(1)])

  private func seal(_ text: String, _ context: String = "c") -> [UInt8] {
    cipher.seal(text.utf8.span, context: context.utf8.span)
  }

  private func open(
    _ sealed: [UInt8], _ context: String = "c", with other: OpenSSLFieldCipher? = nil
  ) -> Result<String, FieldCipherError> {
    do throws(FieldCipherError) {
      let plain = try (other ?? cipher).open(sealed.span, context: context.utf8.span)
      return .success(String(decoding: plain, as: UTF8.self))
    } catch { return .failure(error) }
  }

  @Test(arguments: ["", "a", "exactly sixteen!", String(repeating: "long ", count: 4000)])
  func opensWhatItSealed(text: String) {
    #expect(open(seal(text)) == .success(text))
  }

  @Test func addsThirtySevenBytesAndHidesTheRest() {
    let sealed = seal("the plain text")
    #expect(sealed.count == 14 + 37)
    #expect(!String(decoding: sealed, as: UTF8.self).contains("plain"))
  }

  @Test func equalValuesDiffer() {
    #expect(Set((0..<200).map { _ in seal("same") }).count == 200)
  }

  @Test func opensInItsOwnContextOnly() {
    let sealed = seal("x", "people/phone")
    #expect(open(sealed, "people/fax") == .failure(.notAuthentic))
    #expect(open(sealed, "") == .failure(.notAuthentic))
  }

  @Test func everyChangedByteIsNoticed() {
    let sealed = seal("secret")
    for place in sealed.indices {
      var changed = sealed
      changed[place] ^= 1
      guard case .failure = open(changed) else {
        Issue.record("byte \(place) may change")
        return
      }
    }
    for count in 0..<sealed.count { #expect(open(Array(sealed[..<count])) == .failure(.notAuthentic)) }
    #expect(open(sealed + [0]) == .failure(.notAuthentic))
  }

  @Test func theFirstKeyWritesAndEveryKeyReads() {
    let old = seal("old")
    let both = OpenSSLFieldCipher(keys: [Self.key(2), Self.key(1)])
    #expect(open(old, with: both) == .success("old"))
    let new = both.seal("new".utf8.span, context: "c".utf8.span)
    #expect(new[1..<9] != old[1..<9])
    #expect(open(new, with: OpenSSLFieldCipher(keys: [Self.key(2)])) == .success("new"))
    #expect(open(new) == .failure(.unknownKey(id: Hex.encode(Array(new[1..<9])))))
  }

  @Test func fingerprintsAreEqualForEqualValuesOfOneScopeAndKey() {
    func prints(_ cipher: OpenSSLFieldCipher, _ text: String, _ scope: String = "c/f") -> [String] {
      cipher.fingerprints(text.utf8.span, scope: scope.utf8.span)
    }
    #expect(prints(cipher, "x") == prints(OpenSSLFieldCipher(keys: [Self.key(1)]), "x"))
    #expect(prints(cipher, "x") != prints(cipher, "y"))
    #expect(prints(cipher, "x") != prints(cipher, "x", "c/g"))
    #expect(prints(cipher, "fx", "c/") != prints(cipher, "x", "c/f"))
    let both = OpenSSLFieldCipher(keys: [Self.key(2), Self.key(1)])
    #expect(prints(both, "x").count == 2 && prints(both, "x")[1] == prints(cipher, "x")[0])
  }
}

@Suite struct KeyFileTests {
  private final class File {
    let path = FileManager.default.temporaryDirectory.path + "/council-keys-" + Hex.encode(randomBytes(8))

    init(_ text: String, mode: Int = 0o600) throws {
      try Data(text.utf8).write(to: URL(filePath: path))
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  private static let hex = String(repeating: "aB", count: 32)

  @Test func readsHexAndBase64InOrder() throws {
    let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8="
    let file = try File("# keys\n\n  \(Self.hex)  # the newest\r\n\(base64)\n")
    #expect(try KeyFile.read(file.path) == [[UInt8](repeating: 0xAB, count: 32), Array(0..<31) + [0xFF]])
  }

  @Test(arguments: [
    "", "# none", "abcd", String(repeating: "ab", count: 31), String(repeating: "ab", count: 33),
    String(repeating: "zz", count: 32), hex + " " + hex, hex + "\n" + hex, "AAEC",
  ])
  func refusesWhatIsNoKeyAndNeverTellsIt(text: String) throws {
    let file = try File(text)
    let problem = #expect(throws: Problem.self) { try KeyFile.read(file.path) }
    #expect(problem?.code == "config.key_file")
    #expect(text.isEmpty || problem?.detail.contains(text) == false)
  }

  @Test(arguments: [0o640, 0o604, 0o610, 0o644])
  func refusesAFileThatOthersMayRead(mode: Int) throws {
    let file = try File(Self.hex, mode: mode)
    let problem = #expect(throws: Problem.self) { try KeyFile.read(file.path) }
    #expect(problem?.detail.contains("chmod 600") == true)
  }

  @Test func refusesWhatIsNoFile() {
    for path in ["/nonexistent/keys", "/tmp", "/dev/null"] {
      let problem = #expect(throws: Problem.self) { try KeyFile.read(path) }
      #expect(problem?.code == "config.key_file")
    }
  }
}

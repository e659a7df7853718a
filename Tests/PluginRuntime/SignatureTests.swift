import Application
import Cryptography
import Domain
import Kernel
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  @Suite struct Signatures {
    private let digests = OpenSSLDigests()
    private let scheme = OpenSSLSignatures()
    private let key = [UInt8](repeating: 1, count: 32)
    private let otherKey = [UInt8](repeating: 2, count: 32)
    private let time = Timestamp(microseconds: 1_900_000_000_000_000)

    private func publicKey(_ key: [UInt8]) throws -> [UInt8] { try scheme.publicKey(of: key) }
    private func id(_ key: [UInt8]) throws -> String {
      SigningKey.id(of: try publicKey(key)) { digests.sha256($0) }
    }

    private func validate(_ policy: SignaturePolicy = .nobody) -> ValidateFile {
      ValidateFile(digests: digests, signatures: SignatureCheck(scheme) { () throws(Problem) in policy })
    }

    private func trusting(_ key: [UInt8], until: String? = nil) throws -> SignaturePolicy {
      SignaturePolicy(
        isRequired: true, keys: [.init(name: "ci", publicKey: try publicKey(key), until: until)])
    }

    private var inspector: InspectPlugin { InspectPlugin(validate: validate(), probe: Probe.probe()) }

    private func sealed(_ flags: String = "") throws -> String {
      let output = Workshop.path()
      _ =
        try PluginSealer(inspector).seal(
          path: Workshop.plugin("good", flags), output: output, config: Array("{}".utf8)) as PluginFileFacts
      return output
    }

    @discardableResult
    private func sign(_ path: String, to output: String? = nil, by key: [UInt8]? = nil) throws -> String {
      let output = output ?? Workshop.path()
      _ = try PluginSigner(inspector, scheme, digests).sign(
        path: path, output: output, privateKey: key ?? self.key, at: time)
      return output
    }

    /// A signed file whose section holds other bytes.
    private func replacing(_ section: [UInt8]) throws -> String {
      let path = try sealed()
      try ElfSealing.write(section, as: PluginSignature.section, into: path)
      return path
    }

    private func signature(_ path: String) throws -> [UInt8] {
      let bytes = Workshop.read(path)
      let reader = try ElfReader(bytes)
      let section = try #require(try SignatureCheck.section(try reader.sections(try reader.header())))
      return Array(bytes[Int(section.offset)..<Int(section.offset + section.bytes)])
    }

    @Test func aSignedFileTellsItsSignerAndLoads() throws {
      let path = try sign(try sealed())
      let facts = try validate(try trusting(key))(path)
      #expect(facts.signature == SignatureFacts(keyID: try id(key), signer: "ci", signedAt: time.text))
      #expect(facts.sealedManifest != nil)
      let manifest = try #require(facts.sealedManifest)
      #expect(try inspector.probe(path: path, config: Array("{}".utf8)).manifest == manifest)
      #expect(try Stage.loader().load(path: path, sealed: manifest).manifest == manifest)
      #expect(Workshop.shell("readelf -SW '\(path)' | grep -q ' .council.signature .*PROGBITS'") == 0)
      // The same file, key and time give the same bytes.
      #expect(Workshop.read(try sign(try sealed())) == Workshop.read(path))
    }

    @Test func noByteOfASignedFileCanBeChanged() throws {
      let path = try sign(try sealed("-Wl,-s -Wl,-z,noseparate-code"))
      let good = Workshop.read(path)
      let check = validate(try trusting(key))
      #expect(try check(path).signature != nil)
      let place = Workshop.path()
      var accepted: [Int] = []
      // A sanitizer sees in some what it would see in all.
      for index in stride(from: 0, to: good.count, by: System.isSanitized ? 61 : 1) {
        var bytes = good
        bytes[index] ^= UInt8(1) << UInt8(index % 8)
        Workshop.write(bytes, to: place)
        if code({ _ = try check(place) }) == nil { accepted.append(index) }
      }
      #expect(accepted.isEmpty)
      // Nor can one be added or taken away.
      for bytes in [good + [0], Array(good.dropLast())] {
        Workshop.write(bytes, to: place)
        #expect(code { _ = try check(place) } != nil)
      }
    }

    @Test func refusesByPolicy() throws {
      let unsigned = try sealed()
      let path = try sign(unsigned)
      let hash = try validate()(path).sha256
      let bare = try validate()(unsigned).sha256
      var revokedKey = try trusting(key)
      revokedKey.revokedKeys = [try id(key)]
      var revokedFile = try trusting(key)
      revokedFile.revokedFiles = [hash]
      let cases: [(String, SignaturePolicy, String?)] = [
        (unsigned, .nobody, nil), (path, .nobody, nil),
        (unsigned, try trusting(key), "plugin.signature.missing"),
        (path, try trusting(key), nil), (path, try trusting(otherKey), "plugin.signature.unknown_key"),
        (path, revokedKey, "plugin.signature.key_revoked"),
        (path, revokedFile, "plugin.signature.file_revoked"),
        (unsigned, SignaturePolicy(revokedFiles: [bare]), "plugin.signature.file_revoked"),
        // Also where signatures are not asked for, a wrong one is no good sign.
        (path, SignaturePolicy(revokedKeys: [try id(key)]), "plugin.signature.key_revoked"),
        // 2030-03-17 is the day it was signed on.
        (path, try trusting(key, until: "2030-03-17"), nil),
        (path, try trusting(key, until: "2030-03-16"), "plugin.signature.key_ended"),
      ]
      for (file, policy, wanted) in cases {
        #expect(code { _ = try validate(policy)(file) } == wanted, "\(policy)")
      }
      let check = ValidateFile(
        digests: digests,
        signatures: SignatureCheck(scheme) { () throws(Problem) in
          throw Problem(503, "plugin.signature.policy", "No file.")
        })
      #expect(code { _ = try check(unsigned) } == "plugin.signature.policy")
    }

    @Test func refusesWhatIsNoSignature() throws {
      let good = try signature(try sign(try sealed()))
      let id = try id(key)
      func changed(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
        var bytes = good
        change(&bytes)
        return bytes
      }
      let text = String(decoding: good.dropFirst(72), as: UTF8.self)
      func statement(_ from: String, _ to: String) -> [UInt8] {
        Array(good.prefix(72)) + Array(text.replacing(from, with: to).utf8)
      }
      let other = PluginSignature(
        publicKey: try publicKey(key), plugin: "reject", version: "2", signedAt: time.text)
      let cases: [([UInt8], String)] = [
        (
          changed {
            $0.removeAll(); $0 = [0]
          }, "malformed"
        ), (Array(good.prefix(72)), "malformed"),
        (Array(good.prefix(73)), "malformed"), (changed { $0[0] = 0 }, "malformed"),
        (changed { $0[7] = 2 }, "malformed"), (good + [0x20], "malformed"),
        (good + [UInt8](repeating: 0x20, count: PluginSignature.maxBytes), "malformed"),
        (statement("ed25519", "rsa-pkcs1"), "algorithm"), (statement("{", "{ "), "malformed"),
        (statement("\"plugin\"", "\"extra\":\"1\",\"plugin\""), "malformed"),
        (statement(id, String(repeating: "0", count: 32)), "malformed"), (statement("T", " "), "malformed"),
        (statement("reject", "accept"), "altered"), (changed { $0[8] ^= 1 }, "altered"),
        (other.encoded(keyID: id), "altered"),
      ]
      for (section, wanted) in cases {
        let path = try replacing(section)
        #expect(
          code { _ = try validate(try trusting(key))(path) } == "plugin.signature.\(wanted)",
          "\(String(decoding: section.dropFirst(72), as: UTF8.self))")
        // Wrong is wrong, also where nobody asks for signatures.
        #expect(code { _ = try validate()(path) } != nil)
      }
      let path = try sign(try sealed())
      let file = Workshop.file(good)
      #expect(Workshop.shell("objcopy --add-section .other='\(file)' '\(path)'") == 0)
      #expect(code { _ = try validate()(path) } == "plugin.signature.altered")
      #expect(
        Workshop.shell("objcopy --rename-section .other=.council.signature '\(path)' 2>/dev/null") == 0)
      #expect(code { _ = try validate()(path) } == "plugin.signature.malformed")
    }

    /// The signature holds, and says something else than the file.
    @Test func refusesAStatementAboutAnotherPlugin() throws {
      let path = try sealed()
      for (plugin, version) in [("reject", "2"), ("other", "1")] {
        let copy = Workshop.copy(of: path)
        let statement = PluginSignature(
          publicKey: try publicKey(key), plugin: plugin, version: version, signedAt: time.text)
        try ElfSealing.write(statement.encoded(keyID: try id(key)), as: PluginSignature.section, into: copy)
        var bytes = Workshop.read(copy)
        let reader = try ElfReader(bytes)
        let section = try #require(try SignatureCheck.section(try reader.sections(try reader.header())))
        let start = Int(section.offset) + PluginSignature.signatureOffset
        let place = start..<start + PluginSignature.signatureBytes
        bytes.replaceSubrange(
          place, with: try scheme.sign(SignatureCheck.message(bytes, without: place, digests), with: key))
        #expect(
          code { _ = try validate(try trusting(key))(Workshop.file(bytes)) }
            == "plugin.signature.other_plugin")
      }
    }

    /// Whatever stands in the section: it is refused, or it is what was written there.
    @Test func theReaderSurvivesEveryMutation() throws {
      let good = try signature(try sign(try sealed()))
      var state: UInt64 = 5
      func next() -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33)
      }
      let name: ([UInt8]) -> String = { bytes in SigningKey.id(of: bytes) { digests.sha256($0) } }
      var refused = 0
      for _ in 0..<20_000 {
        var bytes = good
        for _ in 0...(next() % 3) {
          let place = next() % bytes.count
          switch next() % 4 {
          case 0: bytes[place] = UInt8(truncatingIfNeeded: next())
          case 1: bytes.remove(at: place)
          case 2: bytes.removeLast(min(bytes.count - 1, next() % 90))
          default:
            bytes.insert(contentsOf: bytes[place..<min(place + 9, bytes.count)], at: next() % bytes.count)
          }
        }
        do throws(PluginSignature.Fault) {
          let read = try PluginSignature.parse(bytes, keyID: name)
          #expect(read.encoded(keyID: name(read.publicKey)) == bytes)
        } catch { refused += 1 }
      }
      #expect(refused > 10_000)
    }

    @Test func signingNeedsASealAndComesLast() throws {
      #expect(code { try sign(Workshop.plugin("good")) } == "plugin.sign.unsealed")
      let path = try sign(try sealed())
      #expect(
        code {
          _ =
            try PluginSealer(inspector).seal(path: path, output: path, config: Array("{}".utf8))
            as PluginFileFacts
        } == "plugin.seal.signed")
      // Another key takes the place of the first; what was altered is not signed again.
      try sign(path, to: path, by: otherKey)
      #expect(try validate()(path).signature?.keyID == (try id(otherKey)))
      #expect(Workshop.shell("test $(readelf -SW '\(path)' | grep -c council.signature) = 1") == 0)
      var bytes = Workshop.read(path)
      bytes[bytes.count / 3] ^= 1
      let altered = Workshop.file(bytes)
      #expect(code { try sign(altered) } != nil)
      #expect(code { try sign(path, to: "/nowhere/x.so") } == "plugin.file.unwritable")
      #expect(code { try sign(path, by: [1, 2, 3]) } == "plugin.sign.key")
    }
  }
}

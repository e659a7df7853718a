import Application
import Kernel
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  @Suite struct Seal {
    let inspector = InspectPlugin(
      validate: ValidateFile(digests: CountingDigests(), signatures: .ofNobody), probe: Probe.probe())

    @discardableResult
    private func seal(_ path: String, to output: String) throws -> PluginFileFacts {
      try PluginSealer(inspector).seal(path: path, output: output, config: Array("{}".utf8))
    }

    @Test func writesTheManifestAndTheResultLoads() throws {
      let path = Workshop.plugin("good")
      let output = Workshop.path()
      let facts = try seal(path, to: output)
      let manifest = try #require(facts.sealedManifest)
      #expect(String(decoding: manifest, as: UTF8.self).contains("\"operation\":\"look\""))
      #expect(facts.warnings.isEmpty)
      // Reading it takes VALIDATE alone.
      #expect(try inspector.validate(path: output).sealedManifest == manifest)
      #expect(try inspector.validate(path: path).sealedManifest == nil)
      #expect(
        try inspector.probe(path: output, config: Array("{}".utf8), sealed: manifest).manifest == manifest)
      let plugin = try Stage.loader().load(path: output, sealed: manifest)
      #expect(plugin.manifest == manifest)
      // The tools of others still read the file.
      #expect(Workshop.shell("readelf -SW '\(output)' | grep -q ' .council.manifest .*PROGBITS'") == 0)
      #expect(Workshop.shell("test -x '\(output)'") == 0)
    }

    @Test func movesNoSegment() throws {
      let path = Workshop.copy(of: Workshop.build(Workshop.hello))
      let output = Workshop.path()
      try seal(path, to: output)
      let before = Workshop.read(path)
      let after = Workshop.read(output)
      let end = segmentsEnd(before)
      #expect(end == segmentsEnd(after))
      // Of what is mapped, only the ELF header's place and count of section headers may differ.
      let changed = (0..<end).filter { before[$0] != after[$0] }
      #expect(changed.allSatisfy { (40..<48).contains($0) || (60..<64).contains($0) })
    }

    @Test func leavesBytesAloneThatNoSectionOwns() throws {
      let path = Workshop.plugin("good")
      var bytes = Workshop.read(path)
      // Linkers fill the room between sections, in code with traps: sealing must not.
      let text = try #require(Workshop.gap(after: ".fini", in: path))
      for index in text { bytes[index] = 0xCC }
      let filled = Workshop.file(bytes)
      let output = Workshop.path()
      try seal(filled, to: output)
      #expect(Workshop.read(output)[text].allSatisfy { $0 == 0xCC })
    }

    @Test func sealsAgainInTheSamePlace() throws {
      let path = Workshop.plugin("good")
      let first = Workshop.path()
      try seal(path, to: first)
      let once = Workshop.read(first)
      // In place, and with the same result.
      try seal(first, to: first)
      #expect(Workshop.read(first) == once)
      #expect(Workshop.shell("test $(readelf -SW '\(first)' | grep -c council.manifest) = 1") == 0)
    }

    @Test func replacesAnOlderSeal() throws {
      let path = Workshop.plugin("good")
      for old in ["{}", String(repeating: " ", count: 5000)] {
        let copy = Workshop.copy(of: path)
        let file = Workshop.file(Array(old.utf8))
        #expect(Workshop.shell("objcopy --add-section .council.manifest='\(file)' '\(copy)'") == 0)
        let output = Workshop.path()
        let sealed = try seal(copy, to: output).sealedManifest
        #expect(sealed == (try inspector.probe(path: path, config: Array("{}".utf8)).manifest))
        #expect(Workshop.shell("test $(readelf -SW '\(output)' | grep -c council.manifest) = 1") == 0)
      }
    }

    @Test func sealsNothingThatFailsItsProbe() {
      let output = Workshop.path()
      for fixture in ["constructor_crashes", "create_refuses", "null_table"] {
        #expect(code { try seal(Workshop.plugin(fixture), to: output) } != nil)
      }
      #expect(Workshop.shell("ls '\(output)'* 2>/dev/null") != 0)
    }

    @Test func refusesAFileWithoutSections() {
      var bytes = Workshop.read(Workshop.plugin("good"))
      bytes.removeLast(bytes.count - segmentsEnd(bytes))
      for index in [40..<48, 60..<64].joined() { bytes[index] = 0 }
      let path = Workshop.file(bytes)
      #expect(code { try seal(path, to: Workshop.path()) } == "plugin.seal.no_sections")
    }

    @Test func saysWhereItCannotWrite() {
      let path = Workshop.plugin("good")
      #expect(code { try seal(path, to: "/nowhere/x.so") } == "plugin.file.unwritable")
    }
  }
}

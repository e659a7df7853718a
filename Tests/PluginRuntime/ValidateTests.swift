import Application
import Kernel
import Patience
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  @Suite struct Validate {
    let validate = ValidateFile(digests: CountingDigests(), signatures: .ofNobody)

    private func refusal(_ bytes: [UInt8]) -> String? {
      let path = Workshop.file(bytes)
      return code { _ = try validate(path) }
    }

    /// A good plugin's bytes, changed.
    private func refusal(_ change: (inout [UInt8]) -> Void) -> String? {
      var bytes = Workshop.read(Workshop.build("\(Workshop.rejects)/good.c"))
      change(&bytes)
      return refusal(bytes)
    }

    @Test func passesAGoodPluginAndSaysWhatItIs() throws {
      let path = Workshop.plugin("good")
      let bytes = Workshop.read(path)
      let facts = try validate(path)
      #expect(facts.bytes == bytes.count)
      #expect(facts.sha256 == Hex.encode(CountingDigests().sha256(bytes.span).bytes))
      #expect(facts.sealedManifest == nil && facts.warnings.count == 1)
      let hello = Workshop.build(Workshop.hello)
      #expect(try validate(hello).neededLibraries == ["libc.so.6"])
    }

    /// Files with bytes changed at random, most of them where ELF keeps its numbers, pass or are refused; none ends
    /// the host.
    @Test func survivesEveryMutation() {
      let good = Workshop.read(Workshop.build("\(Workshop.rejects)/good.c"))
      let path = Workshop.path()
      var state: UInt64 = 99
      func next(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
      }
      // The header, the program headers, then the tables for the loader; the section headers are last.
      let places = [0..<64, 64..<800, 0x200..<0x800, good.count - 2500..<good.count, 0..<good.count]
      for _ in 0..<1500 {
        var bytes = good
        for _ in 0...next(4) {
          let place = places[next(places.count)]
          let index = min(place.lowerBound + next(place.count), bytes.count - 1)
          bytes[index] = [0, 1, 0x7F, 0x80, 0xFF, UInt8(next(256))][next(6)]
        }
        Workshop.write(bytes, to: path)
        do throws(Problem) { _ = try validate(path) } catch { #expect((400..<500).contains(error.status)) }
      }
    }

    @Test func refusesAHashTableThatCountsPastEveryNumber() {
      // DT_GNU_HASH whose first symbol is the largest number there is.
      let code = refusal { bytes in
        guard let table = Workshop.place(of: ".gnu.hash", in: bytes) else { return }
        for index in 4..<8 { bytes[table + index] = 0xFF }
      }
      #expect(code == "plugin.elf.dynamic", "\(code ?? "passed")")
    }

    // MARK: The file

    @Test func refusesAnEmptyFile() { #expect(refusal([]) == "plugin.file.empty") }

    @Test func refusesWhatIsNoELFFile() {
      #expect(refusal(Array("#!/bin/sh\n".utf8)) == "plugin.elf.not_elf")
      #expect(refusal([0x7F]) == "plugin.elf.not_elf")
      #expect(refusal([UInt8](repeating: 0, count: 4096)) == "plugin.elf.not_elf")
    }

    @Test func refusesAMissingFile() {
      #expect(code { _ = try validate("\(Workshop.folder)/none.so") } == "plugin.file.not_found")
    }

    @Test func refusesWhatIsNoRegularFile() {
      let good = Workshop.plugin("good")
      for (path, kind) in [
        (Workshop.folder, "directory"), (Workshop.fifo(), "fifo"), (Workshop.link(to: good), "symbolic link"),
        ("/dev/null", "device"),
      ] {
        let found = problem { _ = try validate(path) }
        #expect(found?.code == "plugin.file.not_regular")
        #expect(found?.members["kind"] == .string(kind))
      }
    }

    @Test func takesAFileOfTheLimitAndNoLarger() throws {
      let path = Workshop.plugin("good")
      let size = Workshop.read(path).count
      let exact = ValidateFile(
        digests: CountingDigests(), signatures: .ofNobody, limits: .init(fileBytes: size))
      let less = ValidateFile(
        digests: CountingDigests(), signatures: .ofNobody, limits: .init(fileBytes: size - 1))
      #expect(try exact(path).bytes == size)
      #expect(code { _ = try less(path) } == "plugin.file.too_large")
    }

    @Test func refusesAFileThatEndsInTheHeader() {
      #expect(refusal { $0.removeLast($0.count - 8) } == "plugin.elf.truncated_header")
      #expect(refusal { $0.removeLast($0.count - 63) } == "plugin.elf.truncated_header")
      #expect(refusal { $0.removeLast($0.count - 64) } == "plugin.elf.truncated_header")
      #expect(refusal { $0.removeLast($0.count - 100) } == "plugin.elf.truncated_header")
    }

    @Test func refusesAFileThatEndsInASegment() {
      let end = segmentsEnd(Workshop.read(Workshop.build("\(Workshop.rejects)/good.c")))
      #expect(refusal { $0.removeLast($0.count - (end - 1)) } == "plugin.elf.truncated_segment")
      // All segments are there; what is cut are the section headers.
      #expect(refusal { $0.removeLast($0.count - end) } == "plugin.elf.sections")
    }

    @Test func refusesEveryTruncation() {
      let bytes = Workshop.read(Workshop.build("\(Workshop.rejects)/good.c"))
      for count in stride(from: 0, to: bytes.count, by: 61) {
        let found = refusal(Array(bytes[..<count]))
        #expect(found?.hasPrefix("plugin.") == true, "\(count) of \(bytes.count) bytes")
      }
    }

    @Test func refusesOtherMachinesAndKinds() {
      #expect(refusal { $0[4] = 1 } == "plugin.elf.class")
      #expect(refusal { $0[5] = 2 } == "plugin.elf.byte_order")
      #expect(refusal { $0[18] = 40 } == "plugin.elf.machine")
      #expect(refusal { $0[16] = 2 } == "plugin.elf.executable")
      #expect(refusal { $0[16] = 1 } == "plugin.elf.type")
      #expect(refusal { $0[16] = 4 } == "plugin.elf.type")
      let program = Workshop.build("\(Workshop.rejects)/executable.c", shared: false)
      #expect(code { _ = try validate(program) } == "plugin.elf.executable")
    }

    @Test func refusesAThirtyTwoBitFileOfThisKind() {
      // A whole, sound ELF32 header, and nothing behind it.
      var bytes = Array("\u{7F}ELF".utf8) + [1, 1, 1] + [UInt8](repeating: 0, count: 45)
      bytes[16] = 3
      bytes[18] = 3
      #expect(refusal(bytes) == "plugin.elf.class")
    }

    @Test func refusesSegmentsThatContradictThemselves() {
      // The first PT_LOAD is the first program header of what gcc links: type, flags, offset, address, sizes.
      let first = 64
      #expect(refusal { $0[first + 4] = 7 } == "plugin.elf.writable_code")
      #expect(refusal { $0[first + 47] = 0x7F } == "plugin.elf.image_too_large")
      #expect(refusal { $0[first + 8 + 6] = 1 } == "plugin.elf.truncated_segment")
      #expect(refusal { for index in first + 40..<first + 48 { $0[index] = 0 } } == "plugin.elf.segments")
      #expect(refusal { $0[56] = 0 } == "plugin.elf.program_headers")
    }

    @Test func neverCrashesOnChangedBytes() {
      let good = Workshop.read(Workshop.build("\(Workshop.rejects)/good.c"))
      var random = UInt64(0x9E37_79B9_7F4A_7C15)
      var refused = 0
      for _ in 0..<600 {
        var bytes = good
        for _ in 0..<4 {
          random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          // Mostly in the headers and tables at the front, where the meaning is.
          let place = Int(random >> 33) % (random & 1 == 0 ? 1024 : bytes.count)
          bytes[place] = UInt8(truncatingIfNeeded: random >> 17)
        }
        if let found = refusal(bytes) {
          #expect(found.hasPrefix("plugin."))
          refused += 1
        }
      }
      #expect(refused > 100)
    }

    // MARK: What it asks of the loader

    @Test func refusesStacksAndTextThatMustNotBe() {
      let stack = Workshop.plugin("good", "-Wl,-z,execstack")
      #expect(code { _ = try validate(stack) } == "plugin.elf.executable_stack")
      let text = Workshop.plugin("text_relocations", "-Wl,-z,notext")
      #expect(code { _ = try validate(text) } == "plugin.elf.text_relocations")
    }

    @Test func refusesSymbolsThatGenerationsWouldShare() {
      let shared = problem { _ = try validate(Workshop.plugin("unique_symbol")) }
      #expect(shared?.code == "plugin.elf.unique_symbols")
      #expect(shared?.members["symbols"] == ["rejects_unique"])
    }

    @Test(arguments: ["-Wl,--hash-style=gnu", "-Wl,--hash-style=sysv", "-Wl,--hash-style=both"])
    func findsTheEntryThroughEitherHashTable(_ style: String) throws {
      _ = try validate(Workshop.plugin("good", style))
      #expect(code { _ = try validate(Workshop.plugin("no_entry", style)) } == "plugin.abi.no_entry")
    }

    @Test func refusesAnEntryThatIsNoFunction() {
      #expect(code { _ = try validate(Workshop.plugin("entry_is_data")) } == "plugin.abi.no_entry")
    }

    @Test func takesAFileWithoutSectionHeaders() throws {
      let path = Workshop.plugin("good")
      var bytes = Workshop.read(path)
      bytes.removeLast(bytes.count - segmentsEnd(bytes))
      for index in [40..<48, 60..<64].joined() { bytes[index] = 0 }
      #expect(try validate(Workshop.file(bytes)).sealedManifest == nil)
    }

    @Test func namesLibrariesThatAreMissing() {
      let library = Workshop.build(
        "\(Workshop.rejects)/dependency.c", "-fvisibility=default -Wl,-soname,librejectsgone.so")
      let path = Workshop.plugin("needs_dependency", library)
      let found = problem { _ = try validate(path) }
      #expect(found?.code == "plugin.link.missing_library")
      #expect(found?.members["libraries"] == ["librejectsgone.so"])
    }

    @Test func findsLibrariesBesideTheFile() throws {
      let path = Dependency.plugin(linked: "1", present: "1")
      #expect(try validate(path).neededLibraries.contains(Dependency.name))
    }

    @Test func refusesFoldersThatDependOnWhereTheHostStarted() {
      for flag in ["-Wl,-rpath,lib", "-Wl,-rpath,.", "-Wl,--disable-new-dtags,-rpath,lib"] {
        #expect(code { _ = try validate(Workshop.plugin("good", flag)) } == "plugin.link.relative_path")
      }
    }

    @Test func refusesTheNameOfASystemLibrary() {
      let path = Workshop.plugin("good", "-Wl,-soname,libc.so.6")
      #expect(code { _ = try validate(path) } == "plugin.link.soname_taken")
    }

    @Test func executesNothing() throws {
      for fixture in ["constructor_crashes", "constructor_exits", "constructor_hangs", "ifunc_crashes"] {
        _ = try validate(Workshop.plugin(fixture))
      }
    }

    // MARK: The seal

    @Test func readsTheSealAndBoundsIt() throws {
      func sealed(_ content: [UInt8]) -> String {
        let path = Workshop.plugin("good")
        let file = Workshop.file(content)
        #expect(Workshop.shell("objcopy --add-section .council.manifest='\(file)' '\(path)'") == 0)
        return path
      }
      #expect(try validate(sealed(Array("{}".utf8))).sealedManifest == Array("{}".utf8))
      #expect(code { _ = try validate(sealed([0xFF, 0xFE])) } == "plugin.manifest.not_utf8")
      let small = ValidateFile(
        digests: CountingDigests(), signatures: .ofNobody, limits: .init(manifestBytes: 10))
      #expect(try small(sealed([UInt8](repeating: 32, count: 10))).sealedManifest?.count == 10)
      #expect(
        code { _ = try small(sealed([UInt8](repeating: 32, count: 11))) } == "plugin.manifest.too_large")
    }

    @Test func leavesNoDescriptorOpen() throws {
      let before = System.descriptors().count
      let good = Workshop.plugin("good")
      let bad = Workshop.file([1, 2, 3])
      let pipe = Workshop.fifo()
      for _ in 0..<50 {
        _ = try validate(good)
        for path in [bad, pipe, Workshop.folder] { #expect(code { _ = try validate(path) } != nil) }
      }
      #expect(eventually { System.descriptors().count <= before })
    }
  }
}

/// The end of the last byte that a segment takes from the file.
func segmentsEnd(_ bytes: [UInt8]) -> Int {
  func word(_ offset: Int, _ size: Int) -> Int {
    (0..<size).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
  }
  let table = word(32, 8)
  let count = word(56, 2)
  return (0..<count).map { word(table + $0 * 56 + 8, 8) + word(table + $0 * 56 + 32, 8) }.max() ?? 0
}

/// A library that a plugin needs, in the version it was linked against or another.
enum Dependency {
  static let name = "librejectsdependency.so"

  static func plugin(linked: String, present: String) -> String {
    let folder = Workshop.path("")
    Workshop.shell("mkdir '\(folder)'")
    func library(_ version: String) -> String {
      Workshop.build(
        "\(Workshop.rejects)/dependency.c",
        "-fvisibility=default -Wl,-soname,\(name) -Wl,--version-script='\(Workshop.rejects)/dependency_\(version).map'"
      )
    }
    let plugin = Workshop.build(
      "\(Workshop.rejects)/needs_dependency.c", "\(library(linked)) -Wl,-rpath,'$ORIGIN'")
    Workshop.shell("cp '\(library(present))' '\(folder)/\(name)'; cp '\(plugin)' '\(folder)/plugin.so'")
    return "\(folder)/plugin.so"
  }
}

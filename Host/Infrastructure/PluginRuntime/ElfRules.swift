import Kernel

/// What an ELF file must be before the dynamic loader may see it. The loader trusts what it reads: a segment
/// beyond the end of the file is a SIGBUS in the host, not an error.
enum ElfRules {
  /// The first bytes, before anything else is read.
  static func check(identification bytes: Span<UInt8>) throws(Problem) {
    guard bytes.count >= 4, bytes[0] == 0x7F, bytes[1] == 0x45, bytes[2] == 0x4C, bytes[3] == 0x46 else {
      throw refusal(.validate, "elf.not_elf", "The file is not an ELF file.")
    }
    guard bytes.count >= 16 else { throw truncatedHeader("The file ends inside the ELF header.") }
    guard bytes[4] == 2 else {
      throw refusal(.validate, "elf.class", "A plugin has 64 bits; this file is of class \(bytes[4]).")
    }
    guard bytes[5] == 1 else {
      throw refusal(.validate, "elf.byte_order", "A plugin is little-endian; this file is not.")
    }
    guard bytes[6] == 1 else {
      throw refusal(.validate, "elf.version", "The ELF version is \(bytes[6]); 1 is known.")
    }
    guard bytes.count >= 64 else { throw truncatedHeader("The file ends inside the ELF header.") }
  }

  static func check(_ header: Elf.Header, fileBytes: Int, host: UInt16 = Elf.hostMachine) throws(Problem) {
    guard header.machine == host else {
      throw refusal(
        .validate, "elf.machine",
        "The file is for \(Elf.machineName(header.machine)); this host is \(Elf.machineName(host)).",
        ["machine": .integer(Int64(header.machine)), "host_machine": .integer(Int64(host))])
    }
    guard header.type != Elf.executable else { throw executable() }
    guard header.type == Elf.sharedObject else {
      throw refusal(
        .validate, "elf.type", "A plugin is a shared object; this file is of type \(header.type).",
        ["type": .integer(Int64(header.type))])
    }
    guard header.segmentEntryBytes == Elf.segmentBytes, header.segmentCount > 0, header.segmentCount <= 256
    else {
      throw refusal(
        .validate, "elf.program_headers",
        "The file has \(header.segmentCount) program headers of \(header.segmentEntryBytes) bytes.")
    }
    guard
      lies(
        header.segmentOffset, UInt64(header.segmentCount * Elf.segmentBytes), within: UInt64(fileBytes))
    else { throw truncatedHeader("The program headers lie beyond the end of the file.") }
  }

  static func check(
    _ segments: [Elf.Segment], fileBytes: Int, maxImageBytes: UInt64
  ) throws(Problem) {
    for (index, segment) in segments.enumerated() {
      guard lies(segment.offset, segment.fileBytes, within: UInt64(fileBytes)) else {
        throw refusal(
          .validate, "elf.truncated_segment",
          "Segment \(index) ends at byte \(segment.offset &+ segment.fileBytes) of a file of \(fileBytes) bytes.",
          ["segment": .integer(Int64(index))])
      }
    }
    if segments.contains(where: { $0.type == Elf.Segment.interpreter }) { throw executable() }
    let loads = segments.filter { $0.type == Elf.Segment.load }
    guard !loads.isEmpty else { throw malformedSegment("The file has no segment to load.") }
    var end: UInt64 = 0
    for load in loads {
      guard load.fileBytes <= load.memoryBytes, load.alignment == 0 || load.alignment.nonzeroBitCount == 1,
        load.alignment <= 1 << 30, load.alignment < 2 || (load.address &- load.offset) % load.alignment == 0
      else { throw malformedSegment("A segment's sizes or its alignment contradict each other.") }
      guard load.address >= end else { throw malformedSegment("Segments overlap or are out of order.") }
      let (next, overflow) = load.address.addingReportingOverflow(load.memoryBytes)
      guard !overflow, next - loads[0].address <= maxImageBytes else {
        throw refusal(
          .validate, "elf.image_too_large", "The image takes more than \(maxImageBytes) bytes of memory.",
          ["max_bytes": .integer(Int64(maxImageBytes))])
      }
      end = next
      guard load.flags & (Elf.Segment.writable | Elf.Segment.executable) != 3 else {
        throw refusal(.validate, "elf.writable_code", "A segment is writable and executable.")
      }
    }
    // Without the header, glibc on x86-64 takes the stack for executable and makes every stack so.
    guard let stack = segments.first(where: { $0.type == Elf.Segment.stack }),
      stack.flags & Elf.Segment.executable == 0
    else {
      throw refusal(
        .validate, "elf.executable_stack",
        "The file asks for an executable stack: link with -z noexecstack.")
    }
    guard segments.filter({ $0.type == Elf.Segment.dynamic }).count == 1 else {
      throw malformedSegment("The file has no dynamic segment, or several.")
    }
  }

  static func check(sectionsOf header: Elf.Header, fileBytes: Int) throws(Problem) {
    guard header.sectionOffset != 0 else { return }
    guard header.sectionEntryBytes == Elf.sectionBytes, header.sectionCount < 65_280 else {
      throw malformedSection("The section headers have \(header.sectionEntryBytes) bytes.")
    }
    guard
      lies(header.sectionOffset, UInt64(header.sectionCount * Elf.sectionBytes), within: UInt64(fileBytes))
    else { throw malformedSection("The section headers lie beyond the end of the file.") }
    guard header.sectionCount == 0 || header.sectionNames < header.sectionCount else {
      throw malformedSection("The section of section names does not exist.")
    }
  }

  static func check(_ sections: [Elf.Section], fileBytes: Int) throws(Problem) {
    for section in sections where section.type != Elf.Section.noBits && section.type != 0 {
      guard lies(section.offset, section.bytes, within: UInt64(fileBytes)) else {
        throw malformedSection("The section \(section.name) ends beyond the end of the file.")
      }
    }
  }

  static func check(_ dynamic: Elf.Dynamic) throws(Problem) {
    let positionIndependentExecutable: UInt64 = 0x0800_0000
    let textRelocations: UInt64 = 4
    if (dynamic[Elf.Dynamic.flags1] ?? 0) & positionIndependentExecutable != 0 { throw executable() }
    if dynamic[Elf.Dynamic.textRelocations] != nil
      || (dynamic[Elf.Dynamic.flags] ?? 0) & textRelocations != 0
    {
      throw refusal(
        .validate, "elf.text_relocations", "The code must be relocated in place: compile with -fPIC.")
    }
  }

  static func check(_ symbols: [Elf.Symbol], entry: String) throws(Problem) {
    let unique = symbols.filter { $0.isDefined && $0.binding == Elf.Symbol.unique }.map(\.name)
    guard unique.isEmpty else {
      throw refusal(
        .validate, "elf.unique_symbols",
        "Two generations would share \(unique.count) symbols of binding STB_GNU_UNIQUE: compile with "
          + "-fno-gnu-unique, or export the entry symbol only.",
        ["symbols": .array(unique.prefix(16).map { .string($0) })])
    }
    guard let found = symbols.first(where: { $0.name == entry && $0.isDefined }) else {
      throw refusal(.validate, "abi.no_entry", "The file does not export \(entry).")
    }
    guard found.type == Elf.Symbol.function else {
      throw refusal(.validate, "abi.no_entry", "\(entry) is exported, but is no function.")
    }
  }

  private static func lies(_ offset: UInt64, _ count: UInt64, within size: UInt64) -> Bool {
    offset <= size && count <= size - offset
  }

  private static func executable() -> Problem {
    refusal(.validate, "elf.executable", "The file is an executable, not a shared object: link with -shared.")
  }

  private static func truncatedHeader(_ detail: String) -> Problem {
    refusal(.validate, "elf.truncated_header", detail)
  }

  private static func malformedSegment(_ detail: String) -> Problem {
    refusal(.validate, "elf.segments", detail)
  }

  private static func malformedSection(_ detail: String) -> Problem {
    refusal(.validate, "elf.sections", detail)
  }
}

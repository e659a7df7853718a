import CElf
// Which of the two modules owns the structs of elf.h depends on which file of the target is read first.
import Glibc
import Kernel

/// Reads an ELF file in memory through libelf. Everything comes out as values; nothing of the file runs.
///
/// One thread at a time. Made only of bytes that passed ``ElfRules/check(identification:)``.
@safe
final class ElfReader {
  private let bytes: UnsafeMutableBufferPointer<UInt8>
  private let count: Int
  private let elf: OpaquePointer

  init(_ source: [UInt8]) throws(Problem) {
    _ = elf_version(UInt32(EV_CURRENT))
    count = source.count
    unsafe bytes = .allocate(capacity: source.count)
    // Safe: both hold `source.count` bytes.
    _ = unsafe bytes.initialize(fromContentsOf: source)
    let image = unsafe UnsafeMutableRawPointer(bytes.baseAddress!).assumingMemoryBound(to: CChar.self)
    // Safe: the copy lives until deinit ends the handle.
    guard let elf = unsafe elf_memory(image, source.count) else {
      unsafe bytes.deallocate()
      throw refusal(.validate, "elf.not_elf", "libelf does not read the file: \(ElfReader.lastError).")
    }
    unsafe self.elf = elf
  }

  deinit {
    unsafe elf_end(elf)
    unsafe bytes.deallocate()
  }

  static var lastError: String {
    // Safe: libelf answers with a static text, or NULL when there was no error.
    unsafe elf_errmsg(-1).map { unsafe String(cString: $0) } ?? "no reason given"
  }

  func header() throws(Problem) -> Elf.Header {
    var raw = GElf_Ehdr()
    var names = 0
    // Safe: libelf fills the structs.
    guard unsafe elf_kind(elf) == ELF_K_ELF, unsafe gelf_getehdr(elf, &raw) != nil else {
      throw refusal(.validate, "elf.not_elf", "libelf does not read the header: \(ElfReader.lastError).")
    }
    var count = Int(raw.e_shnum)
    if raw.e_shoff != 0, unsafe elf_getshdrstrndx(elf, &names) != 0 { names = .max }
    if raw.e_shoff == 0 { count = 0 }
    return Elf.Header(
      type: raw.e_type, machine: raw.e_machine, segmentOffset: raw.e_phoff,
      segmentEntryBytes: Int(raw.e_phentsize), segmentCount: Int(raw.e_phnum),
      sectionOffset: raw.e_shoff, sectionEntryBytes: Int(raw.e_shentsize), sectionCount: count,
      sectionNames: names)
  }

  func segments(_ count: Int) throws(Problem) -> [Elf.Segment] {
    var all: [Elf.Segment] = []
    for index in 0..<count {
      var raw = GElf_Phdr()
      // Safe: libelf checks the index and fills the struct.
      guard unsafe gelf_getphdr(elf, Int32(index), &raw) != nil else {
        throw refusal(.validate, "elf.program_headers", "Program header \(index): \(ElfReader.lastError).")
      }
      all.append(
        Elf.Segment(
          type: raw.p_type, flags: raw.p_flags, offset: raw.p_offset, address: raw.p_vaddr,
          fileBytes: raw.p_filesz, memoryBytes: raw.p_memsz, alignment: raw.p_align))
    }
    return all
  }

  func sections(_ header: Elf.Header) throws(Problem) -> [Elf.Section] {
    var all: [Elf.Section] = []
    for index in 0..<header.sectionCount {
      var raw = GElf_Shdr()
      // Safe: libelf checks the index and fills the struct.
      guard let section = unsafe elf_getscn(elf, index), unsafe gelf_getshdr(section, &raw) != nil else {
        throw refusal(.validate, "elf.sections", "Section header \(index): \(ElfReader.lastError).")
      }
      // Safe: libelf checks both numbers and answers with text inside the file that a NUL ends, or NULL.
      let name = unsafe elf_strptr(elf, header.sectionNames, Int(raw.sh_name))
      all.append(
        Elf.Section(
          name: unsafe name.map { unsafe String(cString: $0) } ?? "", type: raw.sh_type, flags: raw.sh_flags,
          offset: raw.sh_offset, bytes: raw.sh_size))
    }
    return all
  }

  func dynamic(_ segment: Elf.Segment) throws(Problem) -> Elf.Dynamic {
    let chunk = unsafe try chunk(segment.offset, segment.fileBytes, ELF_T_DYN)
    var entries: [(tag: Int64, value: UInt64)] = []
    for index in 0..<Int(segment.fileBytes) / MemoryLayout<Elf64_Dyn>.size {
      var raw = GElf_Dyn()
      // Safe: libelf checks the index against the chunk.
      guard unsafe gelf_getdyn(chunk, Int32(index), &raw) != nil else { break }
      if raw.d_tag == 0 { return Elf.Dynamic(entries: entries) }
      entries.append((raw.d_tag, unsafe raw.d_un.d_val))
    }
    throw malformed("it has no end")
  }

  /// Far beyond what plugins have: a file that points a million names at one long text is refused, not copied.
  static let maxSymbols: UInt64 = 100_000
  static let maxNameBytes = 4096

  /// The symbols that the loader can find.
  func symbols(_ dynamic: Elf.Dynamic, _ segments: [Elf.Segment]) throws(Problem) -> [Elf.Symbol] {
    guard let table = dynamic[Elf.Dynamic.symbols] else { throw malformed("it names no symbols") }
    let count = try symbolCount(dynamic, segments)
    let bytes = UInt64(count * MemoryLayout<Elf64_Sym>.size)
    let chunk = unsafe try chunk(try fileOffset(table, bytes, segments), bytes, ELF_T_SYM)
    var all: [Elf.Symbol] = []
    for index in 0..<count {
      var raw = GElf_Sym()
      // Safe: libelf checks the index against the chunk.
      guard unsafe gelf_getsym(chunk, Int32(index), &raw) != nil else {
        throw malformed("a symbol is missing")
      }
      guard raw.st_name != 0 else { continue }
      all.append(
        Elf.Symbol(
          name: try string(UInt64(raw.st_name), dynamic, segments), binding: raw.st_info >> 4,
          type: raw.st_info & 15, isDefined: raw.st_shndx != 0))
    }
    return all
  }

  /// Text of the dynamic string table.
  func string(_ offset: UInt64, _ dynamic: Elf.Dynamic, _ segments: [Elf.Segment]) throws(Problem) -> String {
    guard let table = dynamic[Elf.Dynamic.strings], let size = dynamic[Elf.Dynamic.stringBytes], offset < size
    else { throw malformed("a name lies outside the strings") }
    let start = Int(try fileOffset(table, size, segments) + offset)
    let limit = min(Int(size - offset), ElfReader.maxNameBytes)
    var end = start
    while end - start < limit, byte(end) != 0 { end += 1 }
    guard end - start < limit else { throw malformed("a name has no end, or is longer than 4 KiB") }
    // Safe: `fileOffset` proved that the whole table lies within the file.
    return unsafe String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self)
  }

  /// The bytes of a section that passed ``ElfRules``.
  func content(_ section: Elf.Section) throws(Problem) -> [UInt8] {
    let size = UInt64(count)
    guard section.offset <= size, section.bytes <= size - section.offset else {
      throw malformed("the section \(section.name) lies outside it")
    }
    let start = Int(section.offset)
    // Safe: bounds checked above.
    return unsafe [UInt8](bytes[start..<start + Int(section.bytes)])
  }

  // MARK: Places in the file

  private func symbolCount(_ dynamic: Elf.Dynamic, _ segments: [Elf.Segment]) throws(Problem) -> Int {
    if let table = dynamic[Elf.Dynamic.hash] {
      return try checked(UInt64(word(table, 1, segments)))
    }
    guard let table = dynamic[Elf.Dynamic.gnuHash] else { throw malformed("it has no hash table") }
    let buckets = UInt64(try word(table, 0, segments))
    let first = UInt64(try word(table, 1, segments))
    let bloomWords = UInt64(try word(table, 2, segments)) * 2
    guard buckets < 1 << 24, bloomWords < 1 << 24 else { throw malformed("its hash table is too large") }
    var last = first
    for bucket in 0..<buckets { last = max(last, UInt64(try word(table, 4 + bloomWords + bucket, segments))) }
    if last == first, try !hasEntries(table, 4 + bloomWords, buckets, segments) { return try checked(first) }
    // The lowest bit of a chain's last hash is set.
    while try word(table, 4 + bloomWords + buckets + (last - first), segments) & 1 == 0 { last += 1 }
    return try checked(last + 1)
  }

  private func hasEntries(
    _ table: UInt64, _ start: UInt64, _ buckets: UInt64, _ segments: [Elf.Segment]
  ) throws(Problem) -> Bool {
    for bucket in 0..<buckets where try word(table, start + bucket, segments) != 0 { return true }
    return false
  }

  private func checked(_ count: UInt64) throws(Problem) -> Int {
    guard count <= min(UInt64(self.count / MemoryLayout<Elf64_Sym>.size), ElfReader.maxSymbols) else {
      throw malformed("it has more symbols than the file has room for")
    }
    return Int(count)
  }

  private func word(_ table: UInt64, _ index: UInt64, _ segments: [Elf.Segment]) throws(Problem) -> UInt32 {
    let (address, overflow) = table.addingReportingOverflow(index * 4)
    guard !overflow else { throw malformed("its hash table lies outside the image") }
    let start = Int(try fileOffset(address, 4, segments))
    return UInt32(byte(start)) | UInt32(byte(start + 1)) << 8 | UInt32(byte(start + 2)) << 16
      | UInt32(byte(start + 3)) << 24
  }

  private func byte(_ offset: Int) -> UInt8 {
    precondition(offset < count)
    // Safe: bounds checked above.
    return unsafe bytes[offset]
  }

  /// Where in the file the memory at an address comes from.
  private func fileOffset(
    _ address: UInt64, _ count: UInt64, _ segments: [Elf.Segment]
  ) throws(Problem) -> UInt64 {
    for segment in segments where segment.type == Elf.Segment.load && address >= segment.address {
      let inside = address - segment.address
      if inside <= segment.fileBytes, count <= segment.fileBytes - inside { return segment.offset + inside }
    }
    throw malformed("it points outside the file")
  }

  private func chunk(
    _ offset: UInt64, _ count: UInt64, _ type: Elf_Type
  ) throws(Problem) -> UnsafeMutablePointer<Elf_Data> {
    // Safe: libelf checks that the chunk lies within the file; it lives as long as the handle.
    guard let data = unsafe elf_getdata_rawchunk(elf, Int64(offset), Int(count), type) else {
      throw malformed(ElfReader.lastError)
    }
    return unsafe data
  }

  private func malformed(_ why: String) -> Problem {
    refusal(.validate, "elf.dynamic", "The dynamic table is malformed: \(why).")
  }
}

import CElf
import Glibc
import Kernel

/// Writes a section into an ELF file through libelf, with every other byte of a segment left where it is.
///
/// The section, the names of sections and the section headers go to the end of the file; a file that was sealed
/// before gets them in the place of the old ones. The program headers, which are all that is mapped, do not change.
enum ElfSealing {
  /// `path` is a private copy that passed VALIDATE.
  static func write(_ content: [UInt8], as name: String, into path: String) throws(Problem) {
    // Safe: the path is lent as a C string for the call.
    let file = unsafe path.withCString { unsafe open($0, O_RDWR | O_NOFOLLOW | O_CLOEXEC) }
    guard file >= 0 else { throw NewFile.failed(path, .seal) }
    defer { close(file) }
    _ = elf_version(UInt32(EV_CURRENT))
    // Safe: the descriptor stays open until the handle is ended.
    guard let elf = unsafe elf_begin(file, ELF_C_RDWR, nil) else { throw failed() }
    let layout = Result { () throws(Problem) -> Layout in
      unsafe try Layout(
        elf, name: name, contentBytes: content.count, fileBytes: Int(lseek(file, 0, SEEK_END)))
    }
    do throws(Problem) {
      let layout = try layout.get()
      let end = unsafe try place(content, layout, in: elf)
      unsafe elf_end(elf)
      guard ftruncate(file, off_t(end)) == 0, fsync(file) == 0 else { throw NewFile.failed(path, .seal) }
    } catch {
      unsafe elf_end(elf)
      throw error
    }
  }

  /// Where everything goes.
  private struct Layout {
    /// Index of the section of names, and of the one to write where the file has it.
    var names: Int
    var existing: Int?
    var nameOffset: Int
    var nameBytes: [UInt8]
    var content: Int
    var nameTable: Int
    var headers: Int

    @unsafe
    init(_ elf: OpaquePointer, name: String, contentBytes: Int, fileBytes: Int) throws(Problem) {
      names = 0
      // Safe: libelf fills the number.
      guard unsafe elf_getshdrstrndx(elf, &names) == 0, names > 0, let table = unsafe elf_getscn(elf, names),
        let data = unsafe elf_getdata(table, nil), let bytes = unsafe data.pointee.d_buf
      else {
        throw refusal(
          .seal, "seal.no_sections",
          "The file has no section headers (it was stripped of them): link it again.")
      }
      nameBytes = unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: data.pointee.d_size))
      nameOffset = nameBytes.count
      content = (fileBytes + 7) & ~7
      existing = nil
      var lastUsed = 0
      var section = unsafe elf_nextscn(elf, nil)
      while let current = unsafe section {
        var header = GElf_Shdr()
        // Safe: libelf fills the struct, and answers with text that a NUL ends, or NULL.
        guard unsafe gelf_getshdr(current, &header) != nil else { throw failed() }
        let index = unsafe elf_ndxscn(current)
        if let text = unsafe elf_strptr(elf, names, Int(header.sh_name)), unsafe String(cString: text) == name
        {
          existing = index
          nameOffset = Int(header.sh_name)
          content = Int(header.sh_offset)
        } else if index != names, header.sh_type != Elf.Section.noBits {
          lastUsed = max(lastUsed, Int(header.sh_offset + header.sh_size))
        }
        unsafe section = elf_nextscn(elf, current)
      }
      if existing == nil { nameBytes += Array(name.utf8) + [0] }
      // Somebody else's section of that name stands in the middle: its place is left alone.
      if content < lastUsed { content = (fileBytes + 7) & ~7 }
      nameTable = content + contentBytes
      headers = (nameTable + nameBytes.count + 7) & ~7
    }
  }

  /// Returns the file's new size.
  @unsafe
  private static func place(_ content: [UInt8], _ layout: Layout, in elf: OpaquePointer) throws(Problem)
    -> Int
  {
    var header = GElf_Ehdr()
    // Safe, all of it: libelf checks its handles; what it keeps pointers to lives until it has written.
    // DIRTY, for libelf (0.188) writes a new section's header from beyond its array when only parts of the file are
    // marked as changed. It goes when that is mended.
    _ = unsafe elf_flagelf(elf, ELF_C_SET, UInt32(ELF_F_LAYOUT | ELF_F_DIRTY))
    let existing = unsafe layout.existing.map { unsafe elf_getscn(elf, $0) }
    guard let target = unsafe existing ?? elf_newscn(elf), let names = unsafe elf_getscn(elf, layout.names)
    else { throw failed() }
    var size: Int64 = -1
    var contentCopy = content
    var namesCopy = layout.nameBytes
    let status = unsafe contentCopy.withUnsafeMutableBytes { content in
      unsafe namesCopy.withUnsafeMutableBytes { nameBytes in
        guard
          unsafe fill(
            target, content, at: layout.content, isNew: layout.existing == nil, name: layout.nameOffset),
          unsafe fill(names, nameBytes, at: layout.nameTable, isNew: false, name: nil),
          unsafe gelf_getehdr(elf, &header) != nil
        else { return false }
        header.e_shoff = UInt64(layout.headers)
        guard unsafe gelf_update_ehdr(elf, &header) != 0 else { return false }
        size = unsafe elf_update(elf, ELF_C_WRITE)
        return size > 0
      }
    }
    guard status else { throw failed() }
    return Int(size)
  }

  @unsafe
  private static func fill(
    _ section: OpaquePointer, _ bytes: UnsafeMutableRawBufferPointer, at offset: Int, isNew: Bool, name: Int?
  ) -> Bool {
    var header = GElf_Shdr()
    // Safe: libelf checks its handles and fills the struct.
    guard let data = unsafe isNew ? elf_newdata(section) : elf_getdata(section, nil),
      unsafe gelf_getshdr(section, &header) != nil
    else { return false }
    unsafe data.pointee.d_buf = bytes.baseAddress
    unsafe data.pointee.d_size = bytes.count
    unsafe data.pointee.d_align = 1
    unsafe data.pointee.d_off = 0
    if isNew {
      unsafe data.pointee.d_type = ELF_T_BYTE
      unsafe data.pointee.d_version = UInt32(EV_CURRENT)
    }
    header.sh_offset = UInt64(offset)
    header.sh_size = UInt64(bytes.count)
    if let name {
      header.sh_name = UInt32(name)
      header.sh_type = UInt32(SHT_PROGBITS)
      // Not SHF_ALLOC: it is read from the file and never mapped.
      header.sh_flags = 0
      header.sh_addralign = 1
    }
    guard unsafe gelf_update_shdr(section, &header) != 0 else { return false }
    _ = unsafe elf_flagdata(data, ELF_C_SET, UInt32(ELF_F_DIRTY))
    _ = unsafe elf_flagscn(section, ELF_C_SET, UInt32(ELF_F_DIRTY))
    return true
  }

  private static func failed() -> Problem {
    refusal(.seal, "seal.failed", "libelf does not write the file: \(ElfReader.lastError).", status: 500)
  }
}

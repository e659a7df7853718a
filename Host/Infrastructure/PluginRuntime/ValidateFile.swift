package import Application
package import Kernel

/// The step VALIDATE: judges a file by reading it. Nothing of it is executed or mapped.
package struct ValidateFile: Sendable {
  package struct Limits: Sendable {
    package var fileBytes: Int
    /// Of memory, all segments together.
    package var imageBytes: UInt64
    package var manifestBytes: Int

    package init(fileBytes: Int = 64 << 20, imageBytes: UInt64 = 1 << 30, manifestBytes: Int = 1 << 20) {
      self.fileBytes = fileBytes
      self.imageBytes = imageBytes
      self.manifestBytes = manifestBytes
    }
  }

  static let entry = "council_plugin_entry_v1"
  static let manifestSection = ".council.manifest"

  private let limits: Limits
  private let digests: any Digests
  private let signatures: SignatureCheck

  package init(digests: any Digests, signatures: SignatureCheck, limits: Limits = Limits()) {
    self.signatures = signatures
    self.digests = digests
    self.limits = limits
  }

  package func callAsFunction(_ path: String) throws(Problem) -> PluginFileFacts {
    let bytes = try RegularFile.read(path, maxBytes: limits.fileBytes)
    let parts = try parse(bytes)
    let search = LibrarySearch()
    let needed = try libraries(parts, search, path)
    var warnings: [String] = []
    let sealed = try sealedManifest(parts)
    let sha256 = Hex.encode(digests.sha256(bytes.span).bytes)
    let signature = try signatures(
      bytes, sha256: sha256, sections: parts.sections, manifest: sealed, digests)
    if sealed == nil {
      warnings.append("The file is not sealed: `council plugin seal` writes the manifest into it.")
    }
    return PluginFileFacts(
      bytes: bytes.count, sha256: sha256, sealedManifest: sealed, neededLibraries: needed,
      signature: signature, warnings: warnings)
  }

  private struct Parts {
    var reader: ElfReader
    var segments: [Elf.Segment]
    var sections: [Elf.Section]
    var dynamic: Elf.Dynamic

    func strings(_ tag: Int64) throws(Problem) -> [String] {
      var all: [String] = []
      for offset in dynamic.all(tag) { all.append(try reader.string(offset, dynamic, segments)) }
      return all
    }
  }

  private func parse(_ bytes: [UInt8]) throws(Problem) -> Parts {
    try ElfRules.check(identification: bytes.span)
    let reader = try ElfReader(bytes)
    let header = try reader.header()
    try ElfRules.check(header, fileBytes: bytes.count)
    let segments = try reader.segments(header.segmentCount)
    try ElfRules.check(segments, fileBytes: bytes.count, maxImageBytes: limits.imageBytes)
    try ElfRules.check(sectionsOf: header, fileBytes: bytes.count)
    let sections = try reader.sections(header)
    try ElfRules.check(sections, fileBytes: bytes.count)
    let table = segments.first { $0.type == Elf.Segment.dynamic }!
    let dynamic = try reader.dynamic(table)
    try ElfRules.check(dynamic)
    try ElfRules.check(try reader.symbols(dynamic, segments), entry: ValidateFile.entry)
    return Parts(reader: reader, segments: segments, sections: sections, dynamic: dynamic)
  }

  private func libraries(_ parts: Parts, _ search: LibrarySearch, _ path: String) throws(Problem) -> [String]
  {
    let needed = try parts.strings(Elf.Dynamic.needed)
    let rpath = try parts.strings(Elf.Dynamic.rpath).flatMap(LibrarySearch.folders)
    let runpath = try parts.strings(Elf.Dynamic.runpath).flatMap(LibrarySearch.folders)
    for folder in rpath + runpath where LibrarySearch.isRelative(folder) {
      throw refusal(
        .validate, "link.relative_path",
        "The file looks for libraries in the relative folder \"\(folder)\", which depends on where the host was started.",
        ["folder": .string(folder)])
    }
    if let own = try parts.strings(Elf.Dynamic.soname).first, search.isOfSystem(own) {
      throw refusal(
        .validate, "link.soname_taken",
        "The file calls itself \(own), as a library of the system does: later plugins would get this one in its place.",
        ["soname": .string(own)])
    }
    let origin = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let missing = needed.filter {
      !search.resolves(
        LibrarySearch.Request(name: $0, rpath: rpath, runpath: runpath, origin: origin))
    }
    guard missing.isEmpty else {
      throw refusal(
        .validate, "link.missing_library",
        "Libraries that this host does not have: \(missing.joined(separator: ", ")).",
        ["libraries": .array(missing.map { .string($0) })])
    }
    return needed
  }

  private func sealedManifest(_ parts: Parts) throws(Problem) -> [UInt8]? {
    let sections = parts.sections.filter { $0.name == ValidateFile.manifestSection }
    guard let section = sections.first else { return nil }
    guard sections.count == 1, section.type != Elf.Section.noBits, section.type != 0,
      section.bytes > 0
    else {
      throw refusal(
        .validate, "manifest.seal", "The section \(ValidateFile.manifestSection) is not one that seal writes."
      )
    }
    guard section.bytes <= limits.manifestBytes else {
      throw ManifestRules.tooLarge(Int(clamping: section.bytes), limits.manifestBytes, .validate)
    }
    let manifest = try parts.reader.content(section)
    try ManifestRules.check(manifest.span, maxBytes: limits.manifestBytes, .validate)
    return manifest
  }
}

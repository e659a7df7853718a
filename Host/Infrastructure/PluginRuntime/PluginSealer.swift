package import Application
package import Kernel

/// Seals a plugin: writes its manifest into its file, after VALIDATE and a clean PROBE, so that it can be read without
/// running anything and a host can tell when the code states another.
package struct PluginSealer: Sendable {
  private let inspector: any PluginInspector

  package init(_ inspector: any PluginInspector) { self.inspector = inspector }

  /// Writes the sealed file to `output`, in one step; it may be the file itself. Sealing again replaces the old seal,
  /// and the same manifest gives the same bytes. Returns the facts of the sealed file.
  package func seal(
    path: String, output: String, config: [UInt8] = Array("{}".utf8)
  ) throws(Problem) -> PluginFileFacts {
    guard RegularFile.isFileOrNothing(output) else {
      throw refusal(.seal, "seal.output", "\(output) exists and is no regular file; name another output.")
    }
    let before = try inspector.validate(path: path)
    // A new seal would make every signature wrong.
    if before.signature != nil {
      throw refusal(
        .seal, "seal.signed", "The file is signed: seal the one that the build made, then sign it.")
    }
    let manifest = try inspector.probe(path: path, config: config).manifest
    let bytes = try RegularFile.read(path, maxBytes: before.bytes, step: .seal)
    let draft = "\(output).\(Hex.encode(randomBytes(6)))"
    try NewFile.write(bytes, to: draft, mode: 0o755, .seal)
    do throws(Problem) {
      try ElfSealing.write(manifest, as: ValidateFile.manifestSection, into: draft)
      let facts = try inspector.validate(path: draft)
      guard facts.sealedManifest == manifest, try segments(of: draft) == segments(of: path) else {
        throw refusal(.seal, "seal.failed", "The sealed file is not what was to be written.", status: 500)
      }
      try NewFile.rename(draft, to: output, .seal)
      return facts
    } catch {
      NewFile.remove(draft)
      throw error
    }
  }

  /// All that the loader maps, in order: sealing must not change a byte of it but the ELF header's place of the
  /// section headers.
  private func segments(of path: String) throws(Problem) -> [[UInt8]] {
    var bytes = try RegularFile.read(path, maxBytes: Int.max, step: .seal)
    try ElfRules.check(identification: bytes.span)
    let reader = try ElfReader(bytes)
    let header = try reader.header()
    try ElfRules.check(header, fileBytes: bytes.count)
    // e_shoff, e_shnum and e_shstrndx of the ELF header.
    for index in [40..<48, 60..<64].joined() { bytes[index] = 0 }
    let segments = try reader.segments(header.segmentCount)
    try ElfRules.check(segments, fileBytes: bytes.count, maxImageBytes: .max)
    return segments.filter { $0.type == Elf.Segment.load }.map {
      Array(bytes[Int($0.offset)..<Int($0.offset + $0.fileBytes)])
    }
  }
}

package import Application
import Domain
package import Kernel

/// Signs a sealed plugin: writes who vouches for it into its file, as the ELF section `.council.signature`. Reads and
/// writes; runs nothing of it, so that the machine with the key need not trust what it signs.
package struct PluginSigner: PluginSigning {
  private let inspector: any PluginInspector
  private let scheme: any SignatureScheme
  private let digests: any Digests

  package init(_ inspector: any PluginInspector, _ scheme: any SignatureScheme, _ digests: any Digests) {
    self.inspector = inspector
    self.scheme = scheme
    self.digests = digests
  }

  package func sign(
    path: String, output: String, privateKey: [UInt8], at time: Timestamp
  ) throws(Problem) -> SigningReport {
    guard RegularFile.isFileOrNothing(output) else {
      throw refusal(.sign, "sign.output", "\(output) exists and is no regular file; name another output.")
    }
    let facts = try inspector.validate(path: path)
    guard let sealed = facts.sealedManifest else {
      throw refusal(
        .sign, "sign.unsealed", "The file is not sealed, so it does not say what it is: seal it first.")
    }
    let manifest = try Manifest.parse(sealed)
    let publicKey = try scheme.publicKey(of: privateKey)
    let keyID = SigningKey.id(of: publicKey, digests.sha256)
    let signature = PluginSignature(
      publicKey: publicKey, plugin: manifest.id, version: manifest.version, signedAt: time.text)
    let draft = "\(output).\(Hex.encode(randomBytes(6)))"
    defer { NewFile.remove(draft) }
    // What was judged is what is signed: a file that changed in between is refused.
    let before = try RegularFile.read(path, maxBytes: facts.bytes, step: .sign)
    guard Hex.encode(digests.sha256(before.span).bytes) == facts.sha256 else {
      throw refusal(.sign, "file.changed", "The file changed while it was signed.")
    }
    try NewFile.write(before, to: draft, mode: 0o755, .sign)
    try ElfSealing.write(signature.encoded(keyID: keyID), as: PluginSignature.section, into: draft)
    let bytes = try signed(try RegularFile.read(draft, maxBytes: Int.max, step: .sign), privateKey)
    NewFile.remove(draft)
    try NewFile.write(bytes, to: draft, mode: 0o755, durable: true, .sign)
    let after = try inspector.validate(path: draft)
    guard after.signature?.keyID == keyID, after.sealedManifest == sealed else {
      throw refusal(.sign, "sign.failed", "The signed file is not what was to be written.", status: 500)
    }
    try NewFile.rename(draft, to: output, .sign)
    return SigningReport(
      output: output, sha256: after.sha256, plugin: manifest.id, version: manifest.version, keyID: keyID,
      signedAt: signature.signedAt)
  }

  /// The file with the 64 bytes filled in.
  private func signed(_ file: [UInt8], _ privateKey: [UInt8]) throws(Problem) -> [UInt8] {
    try ElfRules.check(identification: file.span)
    let reader = try ElfReader(file)
    guard let section = try SignatureCheck.section(try reader.sections(try reader.header())) else {
      throw refusal(.sign, "sign.failed", "The section of the signature is not in the file.", status: 500)
    }
    let start = Int(section.offset) + PluginSignature.signatureOffset
    let place = start..<start + PluginSignature.signatureBytes
    var copy = file
    copy.replaceSubrange(
      place, with: try scheme.sign(SignatureCheck.message(file, without: place, digests), with: privateKey))
    return copy
  }
}

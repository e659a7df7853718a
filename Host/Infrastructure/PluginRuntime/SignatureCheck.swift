package import Application
import Domain
import Kernel

/// The part of VALIDATE that asks who vouches for a file. Reads bytes; nothing of the file runs.
package struct SignatureCheck: Sendable {
  private let scheme: any SignatureScheme
  private let policy: SignaturePolicySource

  /// `policy` is asked for each file, so that a key that is revoked now counts for nothing now. What it throws
  /// refuses the file.
  package init(
    _ scheme: any SignatureScheme,
    policy: @escaping SignaturePolicySource = { () throws(Problem) in .nobody }
  ) {
    self.scheme = scheme
    self.policy = policy
  }

  /// What is signed: ``PluginSignature``. `place` is where the 64 bytes are in the file.
  static func message(_ file: [UInt8], without place: Range<Int>, _ digests: any Digests) -> [UInt8] {
    let hash = digests.sha256Stream()
    hash.update(file.span.extracting(0..<place.lowerBound))
    hash.update([UInt8](repeating: 0, count: place.count).span)
    hash.update(file.span.extracting(place.upperBound..<file.count))
    return PluginSignature.context + hash.finish().bytes
  }

  /// The section of a file's signature; nil for an unsigned file.
  static func section(_ sections: [Elf.Section]) throws(Problem) -> Elf.Section? {
    let found = sections.filter { $0.name == PluginSignature.section }
    guard let section = found.first else { return nil }
    guard found.count == 1, section.type != Elf.Section.noBits, section.type != 0, section.flags == 0,
      section.bytes <= PluginSignature.maxBytes
    else {
      throw refusal(
        .validate, "signature.malformed",
        "The section \(PluginSignature.section) is not one that `council plugin sign` writes.")
    }
    return section
  }

  func callAsFunction(
    _ file: [UInt8], sha256: String, sections: [Elf.Section], manifest: [UInt8]?, _ digests: any Digests
  ) throws(Problem) -> SignatureFacts? {
    let policy = try policy()
    guard let section = try SignatureCheck.section(sections) else {
      do throws(SignaturePolicy.Refusal) { try policy.judge(unsigned: sha256) } catch {
        throw SignatureCheck.problem(error)
      }
      return nil
    }
    // ElfRules has held the section to the file.
    let start = Int(section.offset)
    let signature = try parse(Array(file[start..<start + Int(section.bytes)]), digests)
    let place = start + PluginSignature.signatureOffset
    let isIntact = scheme.verify(
      signature.value,
      of: SignatureCheck.message(file, without: place..<place + PluginSignature.signatureBytes, digests),
      by: signature.publicKey)
    let sealed = manifest.flatMap { try? Manifest.parse($0) }
    do throws(SignaturePolicy.Refusal) {
      return try policy.judge(
        signature, keyID: SigningKey.id(of: signature.publicKey, digests.sha256), isIntact: isIntact,
        sha256: sha256, manifest: sealed.map { ($0.id, $0.version) })
    } catch { throw SignatureCheck.problem(error) }
  }

  private func parse(_ bytes: [UInt8], _ digests: any Digests) throws(Problem) -> PluginSignature {
    do throws(PluginSignature.Fault) {
      return try PluginSignature.parse(bytes) { SigningKey.id(of: $0, digests.sha256) }
    } catch {
      switch error {
      case .malformed(let why):
        throw refusal(.validate, "signature.malformed", "The file's signature is malformed: \(why).")
      case .algorithm(let name):
        throw refusal(
          .validate, "signature.algorithm",
          "The file is signed with \"\(name.prefix(64))\"; this host takes \(PluginSignature.algorithm).")
      }
    }
  }

  private static func problem(_ cause: SignaturePolicy.Refusal) -> Problem {
    let (code, detail): (String, String) =
      switch cause {
      case .missing:
        ("missing", "The file is not signed, and this host takes signed files only: council plugin sign.")
      case .altered: ("altered", "The file is not the one that was signed.")
      case .unknownKey(let id):
        ("unknown_key", "The file is signed by the key \(id), which this host does not trust.")
      case .keyRevoked(let id): ("key_revoked", "The file is signed by the key \(id), which is revoked.")
      case .fileRevoked: ("file_revoked", "This file is revoked.")
      case .keyEnded(let name, let until):
        ("key_ended", "The file was signed after \(until), the last day of the key '\(name)'.")
      case .otherPlugin(let stated):
        (
          "other_plugin",
          "The signature is for \"\(stated.prefix(160))\", which is not what the manifest in the file says."
        )
      }
    return refusal(.validate, "signature.\(code)", detail)
  }
}

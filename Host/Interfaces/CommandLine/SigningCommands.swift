import Application
import Domain
import Kernel

/// `council plugin keygen`, `council plugin sign`, and what `show` and `check` say of a signature.
enum SigningCommands {
  static let all = [
    Command(
      words: ["plugin", "keygen"], summary: "Makes a key to sign plugins with: FILE, and FILE.pub for hosts.",
      notes: [
        "Ed25519, as `openssl genpkey -algorithm ed25519` makes it. FILE is 0600: whoever reads it can sign."
      ],
      arguments: [.init(name: "FILE", help: "The private key, PEM; nothing may be there.")],
      examples: ["council plugin keygen release.pem"], run: makeKey),
    Command(
      words: ["plugin", "sign"], summary: "Signs a sealed plugin, so that hosts know whose it is.",
      notes: [
        "Signed is every byte of the file, and who signed which plugin and version when. Sealing or stripping the file",
        "later makes the signature wrong: build, seal, sign.",
      ],
      arguments: [.init(name: "FILE", help: "The plugin, sealed.")],
      options: [
        .init(name: "--key", value: "PRIVATE.pem", help: "The private key.", isRequired: true),
        .init(
          name: "--output", short: "-o", value: "OUT",
          help: "Where the signed file goes. Default: FILE itself."),
      ],
      examples: ["council plugin sign accounts.so --key release.pem"], run: sign),
  ]

  static let trust = Command.Option(
    name: "--trust", value: "PUBLIC.pem", help: "Refuse the file unless this key signed it.", isRepeated: true
  )

  private static let maxKeyBytes = 65_536

  // MARK: Keys

  private static func makeKey(_ invocation: Invocation) throws {
    let services = invocation.services
    let path = services.files.absolute(invocation.arguments[0])
    for taken in [path, path + ".pub"] where services.files.kind(taken) != .missing {
      throw CommandFailure.local("'\(taken)' exists: nothing is overwritten")
    }
    let scheme = services.author.signatures
    let privateKey = scheme.makePrivateKey()
    let publicKey = try scheme.publicKey(of: privateKey)
    try write(SigningKey.privatePEM(privateKey), to: path, mode: 0o600, services.files)
    try write(SigningKey.publicPEM(publicKey), to: path + ".pub", mode: 0o644, services.files)
    let id = SigningKey.id(of: publicKey, services.digests.sha256)
    invocation.show([
      "private_key": .string(path), "public_key": .string(path + ".pub"), "key_id": .string(id),
    ]) { _ in
      """
      \(path)  signs: keep it from everybody else
      \(path).pub  for hosts: plugins: { trusted_keys: ["release=\(path).pub"] }
      key id \(id)
      """
    }
  }

  private static func write(_ text: String, to path: String, mode: Int, _ files: any LocalFiles) throws {
    let file = try files.create(path, mode: mode)
    try file.write(Array(text.utf8))
    try file.close()
  }

  // MARK: Signing

  private static func sign(_ invocation: Invocation) throws {
    let services = invocation.services
    let path = try PluginCommands.existing(invocation)
    let output = invocation.value("--output").map(services.files.absolute) ?? path
    let key = try privateKey(invocation.value("--key") ?? "", invocation)
    let report = try services.author.signer.sign(path: path, output: output, privateKey: key, at: .now)
    invocation.show([
      "output": .string(report.output), "sha256": .string(report.sha256), "id": .string(report.plugin),
      "version": .string(report.version), "key_id": .string(report.keyID),
      "signed_at": .string(report.signedAt),
    ]) { _ in
      "\(report.output): \(report.plugin) \(Table.printable(report.version)) is signed by \(report.keyID)\nsha256 \(report.sha256)"
    }
  }

  private static func privateKey(_ path: String, _ invocation: Invocation) throws -> [UInt8] {
    let files = invocation.services.files
    let bytes = try files.read(path, maxBytes: maxKeyBytes)
    if let mode = files.mode(path), mode & 0o077 != 0 {
      invocation.note("council: warning: others on this machine may read '\(path)': chmod 600 it")
    }
    do throws(SigningKey.PrivateKeyFault) {
      return try SigningKey.privateKey(String(decoding: bytes, as: UTF8.self))
    } catch {
      throw CommandFailure.local(
        error == .encrypted
          ? "'\(path)' is encrypted: openssl pkey -in '\(path)' writes it without a passphrase"
          : "'\(path)' holds no Ed25519 private key in PEM: council plugin keygen makes one")
    }
  }

  // MARK: Showing

  /// Refuses a file that none of the keys in `--trust` signed; says nothing without that option.
  static func checkTrust(_ facts: PluginFileFacts, _ invocation: Invocation) throws {
    let paths = invocation.values("--trust")
    guard !paths.isEmpty else { return }
    let ids = try paths.map { path in
      let bytes = try invocation.services.files.read(path, maxBytes: maxKeyBytes)
      guard let key = SigningKey.publicKey(String(decoding: bytes, as: UTF8.self)) else {
        throw CommandFailure.local("'\(path)' holds no Ed25519 public key in PEM")
      }
      return SigningKey.id(of: key, invocation.services.digests.sha256)
    }
    guard let signature = facts.signature else {
      throw Problem(422, "plugin.signature.missing", "The file is not signed.", members: ["step": "validate"])
    }
    guard ids.contains(signature.keyID) else {
      throw Problem(
        422, "plugin.signature.unknown_key",
        "The file is signed by \(signature.keyID), none of the keys that were named.",
        members: ["step": "validate"])
    }
  }

  static func json(_ facts: PluginFileFacts, _ invocation: Invocation) -> JSONValue {
    guard let signature = facts.signature else { return .null }
    return [
      "key_id": .string(signature.keyID), "signed_at": .string(signature.signedAt),
      "state": .string(state(invocation)),
    ]
  }

  static func line(_ facts: PluginFileFacts, _ invocation: Invocation) -> String {
    guard let signature = facts.signature else { return "no" }
    let state = invocation.has("--trust") ? "trusted" : "whole; whose key that is, --trust PUBLIC.pem says"
    return "by \(signature.keyID) at \(signature.signedAt) (\(state))"
  }

  /// `intact`: the signature fits the file and the key in it, which anybody can make.
  private static func state(_ invocation: Invocation) -> String {
    invocation.has("--trust") ? "trusted" : "intact"
  }
}

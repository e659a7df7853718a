import Glibc
import Kernel
import Scratch
import Patience
import Testing

/// Hosts that take signed plugins only.
@Suite struct SigningTests {
  private let folder: String

  init() {
    folder = "\(Fixtures.folder)/signing-\(UUIDv7.make())"
    System.shell("mkdir -p '\(folder)'")
  }

  /// Makes a key; returns its id.
  private func makeKey(_ name: String) throws -> String {
    let made = CouncilCommand(["plugin", "keygen", "\(folder)/\(name)", "--json"])
    #expect(made.code == 0, "\(made.said)")
    return try #require(made.json?["key_id"]?.string)
  }

  /// Hello, sealed and signed.
  private func signed(_ key: String, version: String = "1.0.0") throws -> String {
    let path = "\(folder)/\(version)-\(key).so"
    let source = Fixtures.hello(version: version, word: "Hello")
    let seal = CouncilCommand(["plugin", "seal", source, "-o", path])
    #expect(seal.code == 0, "\(seal.said)")
    let sign = CouncilCommand(["plugin", "sign", path, "--key", "\(folder)/\(key)"])
    #expect(sign.code == 0, "\(sign.said)")
    return path
  }

  private func settings(_ more: String = "") -> String {
    "plugins:\n  require_signature: true\n  trusted_keys: [\"ci=\(folder)/ci.pem.pub\"]\n\(more)"
  }

  @Test func aHostTakesSignedPluginsOnlyAndRunsNothingOfOthers() throws {
    let id = try makeKey("ci.pem")
    _ = try makeKey("other.pem")
    let host = try HostUnderTest(settings: settings())
    for (path, code) in [
      (HostUnderTest.hello, "plugin.signature.missing"),
      (try signed("other.pem"), "plugin.signature.unknown_key"),
    ] {
      let answer = try host.admin("POST", "/automations", body: #"{"path":"\#(path)"}"#)
      #expect(answer.status == 422 && answer.code == code, "\(path): \(answer.body)")
      #expect(answer.json?["step"]?.string == "validate")
    }
    let load = host.command(["automations", "load", try signed("ci.pem")])
    #expect(load.code == 0, "\(load.said)")
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).status == 200)
    let shown = host.command(["automations", "show", "hello", "--json"])
    #expect(shown.json?["signature"]?["signer"]?.string == "ci", "\(shown.said)")
    #expect(shown.json?["signature"]?["key_id"]?.string == id)
    #expect(host.command(["automations", "show", "hello"]).output.contains("ci"))
    #expect(host.stop() == 0)
  }

  /// A plugin whose constructor leaves a mark, sealed, and signed by these keys; one that nobody signed without.
  private func marking(_ mark: String, _ name: String, signedBy key: String?) throws -> String {
    let (source, built, path) = ("\(folder)/\(name).c", "\(folder)/\(name).built.so", "\(folder)/\(name).so")
    System.write(
      "#include \"plugin.h\"\n__attribute__((constructor)) static void run(void) {"
        + "FILE *f = fopen(\"\(mark)\", \"w\"); if (f) fclose(f); }\n"
        + "__attribute__((used)) static const char text[] = \"a text of \(name)\";\nEXPORT_PLUGIN\n",
      to: source)
    let command =
      "cc -std=gnu11 -shared -fPIC -I'\(Fixtures.root)/PluginAPI/C/include' -I'\(Fixtures.root)/Tests/Rejects' "
      + "'\(source)' -o '\(built)'"
    #expect(System.shell(command) == 0)
    let seal = CouncilCommand(["plugin", "seal", built, "-o", path])
    #expect(seal.code == 0, "\(seal.said)")
    if let key {
      let sign = CouncilCommand(["plugin", "sign", path, "--key", "\(folder)/\(key)"])
      #expect(sign.code == 0, "\(sign.said)")
    }
    // Sealing runs it, on the author's machine.
    System.shell("rm -f '\(mark)'")
    return path
  }

  @Test func nothingOfWhatIsRefusedRuns() throws {
    _ = try makeKey("ci.pem")
    _ = try makeKey("other.pem")
    let gone = try makeKey("gone.pem")
    let mark = "\(folder)/ran"
    let good = try marking(mark, "good", signedBy: "ci.pem")
    let banned = try marking(mark, "banned", signedBy: "ci.pem")
    let altered = try marking(mark, "altered", signedBy: "ci.pem")
    var bytes = System.bytes(altered)
    let place = try #require(bytes.firstRange(of: Array("a text of altered".utf8))?.lowerBound)
    bytes[place] ^= 2
    System.write(bytes, to: altered)
    let digest = CouncilCommand(shell: #"sha256sum "$0" | cut -c1-64"#, [banned]).output.prefix { $0 != "\n" }
    let host = try HostUnderTest(
      settings: "plugins:\n  require_signature: true\n"
        + "  trusted_keys: [\"ci=\(folder)/ci.pem.pub\", \"gone=\(folder)/gone.pem.pub\"]\n"
        + "  revoked_keys: [\(gone)]\n  revoked_files: [\(digest)]\n")
    for (path, code) in [
      (try marking(mark, "unsigned", signedBy: nil), "plugin.signature.missing"),
      (try marking(mark, "other", signedBy: "other.pem"), "plugin.signature.unknown_key"),
      (altered, "plugin.signature.altered"),
      (try marking(mark, "revoked", signedBy: "gone.pem"), "plugin.signature.key_revoked"),
      (banned, "plugin.signature.file_revoked"),
    ] {
      let answer = try host.admin("POST", "/automations", body: #"{"path":"\#(path)"}"#)
      #expect(answer.status == 422 && answer.code == code, "\(path): \(answer.body)")
      #expect(answer.json?["step"]?.string == "validate", "\(path): \(answer.body)")
      #expect(!System.exists(mark), "\(path) was run")
    }
    // The mark is one: what is let in leaves it.
    let answer = try host.admin("POST", "/automations", body: #"{"path":"\#(good)"}"#)
    #expect(answer.status < 300, "\(answer.body)")
    #expect(System.exists(mark))
    #expect(host.stop() == 0)
  }

  @Test func aRevokedKeyCountsForNothingAfterHUPAndAtTheNextBoot() throws {
    let id = try makeKey("ci.pem")
    let first = try signed("ci.pem")
    let host = try HostUnderTest(settings: settings())
    let old = host.servingPID
    #expect(host.command(["automations", "load", first]).code == 0)

    // The host that the new configuration brings takes nothing more from that key, and does not start what it signed.
    System.write(settings("  revoked_keys: [\(id)]\n"), to: host.home + "/council.yaml")
    host.process.signal(SIGHUP)
    #expect(host.successor(of: old) != nil, "\(host.log.suffix(2000))")
    // Until it leaves, the old one may still take a connection.
    #expect(eventually { !System.lives(old) })
    let revoked = host.command(["automations", "load", try signed("ci.pem", version: "1.0.2"), "--replace"])
    #expect(revoked.code == 1 && revoked.errors.contains("plugin.signature.key_revoked"), "\(revoked.said)")
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).status == 503)
    #expect(host.stop() == 0)

    let agent = host.agentKey
    let again = try HostUnderTest(home: host.home, settings: settings("  revoked_keys: [\(id)]\n"))
    #expect(try again.call("GET", "/hello/x", key: agent).status == 503)
    #expect(again.log.contains("plugin.signature.key_revoked"))
    #expect(again.stop() == 0)

    let trusting = try HostUnderTest(home: host.home, settings: settings())
    #expect(try trusting.call("GET", "/hello/x", key: agent).status == 200)
    #expect(trusting.stop() == 0)
  }

  @Test func aConfigurationIsCheckedWithItsKeys() throws {
    _ = try makeKey("ci.pem")
    let path = "\(folder)/c.yaml"
    for (key, code) in [("\(folder)/ci.pem.pub", 0), ("\(folder)/none.pem", 1), ("\(folder)/ci.pem", 1)]
      as [(String, Int32)]
    {
      System.write(
        "public: {port: 0}\nadmin: {port: 0}\nplugins:\n  trusted_keys: [\"ci=\(key)\"]\n", to: path)
      let check = CouncilCommand(["config", "check", path, "--home", "\(folder)/home"])
      #expect(check.code == code, "\(check.said)")
      if code != 0 { #expect(check.errors.contains("plugin.signature.policy")) }
    }
  }
}

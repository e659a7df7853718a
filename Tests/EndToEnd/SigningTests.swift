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
    let mark = "\(folder)/ran"
    // Its constructor leaves a mark.
    System.write(
      "#include \"plugin.h\"\n#include <stdio.h>\n__attribute__((constructor)) static void run(void) {"
        + "FILE *f = fopen(\"\(mark)\", \"w\"); if (f) fclose(f); }\nEXPORT_PLUGIN\n", to: "\(folder)/marks.c"
    )
    let command =
      "cc -std=gnu11 -shared -fPIC -I'\(Fixtures.root)/PluginAPI/C/include' -I'\(Fixtures.root)/Tests/Rejects' "
      + "'\(folder)/marks.c' -o '\(folder)/marks.so'"
    #expect(System.shell(command) == 0)
    let altered = "\(folder)/altered.so"
    var bytes = System.bytes(try signed("ci.pem"))
    bytes[bytes.count / 2] ^= 4
    System.write(bytes, to: altered)
    for (path, code) in [
      ("\(folder)/marks.so", "plugin.signature.missing"), (HostUnderTest.hello, "plugin.signature.missing"),
      (try signed("other.pem"), "plugin.signature.unknown_key"), (altered, "plugin.signature.altered"),
    ] {
      let answer = try host.admin("POST", "/automations", body: #"{"path":"\#(path)"}"#)
      #expect(answer.status == 422 && answer.code == code, "\(path): \(answer.body)")
      #expect(answer.json?["step"]?.string == "validate")
    }
    #expect(!System.exists(mark), "nothing of an unsigned plugin runs")
    // Where signatures are not asked for, the same file is run: the mark is one.
    #expect(CouncilCommand(["plugin", "check", "\(folder)/marks.so"]).code == 0)
    #expect(System.exists(mark))

    let load = host.command(["automations", "load", try signed("ci.pem")])
    #expect(load.code == 0, "\(load.said)")
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).status == 200)
    let shown = host.command(["automations", "show", "hello", "--json"])
    #expect(shown.json?["signature"]?["signer"]?.string == "ci", "\(shown.said)")
    #expect(shown.json?["signature"]?["key_id"]?.string == id)
    #expect(host.command(["automations", "show", "hello"]).output.contains("ci"))
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

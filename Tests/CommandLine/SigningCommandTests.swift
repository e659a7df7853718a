import Application
import CommandLineInterface
import Domain
import Kernel
import Testing

struct SigningCommandTests {
  private func signed(_ keyID: String?) -> Result<PluginFileFacts, Problem> {
    .success(
      PluginFileFacts(
        bytes: 9, sha256: "cd", sealedManifest: Array(Console.manifest.utf8), neededLibraries: [],
        signature: keyID.map { SignatureFacts(keyID: $0, signer: nil, signedAt: "2031-04-05T06:07:08.000Z") })
    )
  }

  @Test func aKeyIsTwoFilesOfWhichOneIsSecret() throws {
    let console = Console()
    #expect(console.run("plugin", "keygen", "release.pem", "--json") == 0, "\(console.errors)")
    #expect(
      console.files.mode("/here/release.pem") == 0o600 && console.files.mode("/here/release.pem.pub") == 0o644
    )
    let text = try #require(console.files.text("/here/release.pem"))
    #expect(try SigningKey.privateKey(text).count == 32)
    #expect(SigningKey.publicKey(try #require(console.files.text("/here/release.pem.pub")))?.count == 32)
    #expect(console.json["key_id"]?.string?.count == 32)
    let secret = text.split(separator: "\n")[1]
    #expect(!console.output.contains(secret))
    #expect(console.run("plugin", "keygen", "release.pem") == 5)
    #expect(console.files.text("/here/release.pem") == text)
    console.files.put("/here/b.pem.pub", "mine")
    #expect(console.run("plugin", "keygen", "b.pem") == 5)
    #expect(console.files.text("/here/b.pem") == nil)
  }

  @Test func signingTakesTheKeyThatIsNamed() {
    let console = Console()
    console.run("plugin", "keygen", "k.pem")
    console.files.put("/here/p.so", "x")
    #expect(console.run("plugin", "sign", "p.so", "--key", "k.pem", "-o", "s.so") == 0, "\(console.errors)")
    #expect(console.output.contains("/here/s.so: hello 1.0.0 is signed by 07070707"))
    #expect(!console.errors.contains("warning"))
    #expect(console.run("plugin", "sign", "p.so") == 2)
    #expect(console.run("plugin", "sign", "none.so", "--key", "k.pem") == 5)
    #expect(console.run("plugin", "sign", "p.so", "--key", "k.pem.pub") == 5)
    console.files.put("/here/e.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    #expect(console.run("plugin", "sign", "p.so", "--key", "e.pem") == 5)
    #expect(console.errors.contains("is encrypted"))
    console.files.put("/here/open.pem", console.files.text("/here/k.pem") ?? "", mode: 0o644)
    #expect(console.run("plugin", "sign", "p.so", "--key", "open.pem") == 0)
    #expect(console.errors.contains("chmod 600"))
  }

  @Test func showAndCheckTellTheSigner() throws {
    let console = Console()
    console.run("plugin", "keygen", "k.pem", "--json")
    let id = try #require(console.json["key_id"]?.string)
    for (signer, trust, code) in [
      (id, ["--trust", "k.pem.pub"], 0), (id, [], 0), (nil, [], 0), (nil, ["--trust", "k.pem.pub"], 1),
      ("other", ["--trust", "k.pem.pub"], 1), (id, ["--trust", "k.pem"], 5),
    ] as [(String?, [String], Int32)] {
      for command in ["show", "check"] {
        let console = Console(files: console.files)
        console.files.put("/here/p.so", "x")
        console.inspector = FixedInspector(facts: signed(signer), manifest: .success(Console.manifest))
        #expect(console.run(["plugin", command, "p.so", "--json"] + trust) == code, "\(console.errors)")
        if code == 0 {
          #expect(console.json["signature"]?["key_id"]?.string == signer)
          #expect(
            console.json["signature"]?["state"]?.string
              == signer.map { _ in trust.isEmpty ? "intact" : "trusted" })
          #expect(Console(files: console.files).run("plugin", command, "p.so") == 0)
        } else if code == 1 {
          #expect(console.errors.contains("plugin.signature." + (signer == nil ? "missing" : "unknown_key")))
        }
      }
    }
  }
}

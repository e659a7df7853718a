import Glibc
import Kernel
import Patience
import Testing

/// TLS by a host's configuration file, with curl as a client that trusts one certificate.
@Suite struct TLSTests {
  private let certificates = Certificates()

  private func curl(_ host: HostUnderTest, _ port: Int, _ options: String, _ path: String) -> CouncilCommand {
    CouncilCommand(
      shell:
        "curl -sS --max-time 20 --cacert '\(certificates.path("first.pem"))' -o /dev/null "
        + "-w '%{http_code} %{ssl_verify_result} %{scheme}' \(options) 'https://localhost:\(port)\(path)'")
  }

  @Test func bothListenersServeHTTPS() throws {
    let host = try HostUnderTest(
      load: [HostUnderTest.hello], settings: certificates.settings() + certificates.settings("admin"))
    for version in ["--tlsv1.2 --tls-max 1.2", "--tlsv1.3"] {
      let key = "-H 'Authorization: Bearer \(host.agentKey)'"
      let answer = curl(host, host.port, "\(version) \(key)", "/hello/x")
      #expect(answer.code == 0 && answer.output == "200 0 HTTPS", "\(answer.said)")
    }
    let admin = curl(
      host, host.adminPort, "-H 'Authorization: Bearer \(host.adminKey)'", "/admin/v1/automations")
    #expect(admin.code == 0 && admin.output == "200 0 HTTPS", "\(admin.said)")
    #expect(curl(host, host.port, "", "/hello/x").output == "401 0 HTTPS")
    #expect(host.stop() == 0)
  }

  @Test func olderVersionsAndPlainTextAreRefused() throws {
    let host = try HostUnderTest(settings: certificates.settings())
    for version in ["1.0", "1.1"] {
      // The client itself must be willing, or it proves nothing.
      let old = curl(
        host, host.port, "--tlsv1.0 --tls-max \(version) --ciphers DEFAULT:@SECLEVEL=0", "/health/live")
      // 35: the handshake failed; by the server, not by a client that has no such version.
      #expect(old.code == 35 && !old.errors.contains("no protocols available"), "\(version): \(old.said)")
    }
    let plain = CouncilCommand(shell: "curl -sS --max-time 20 'http://localhost:\(host.port)/health/live'")
    #expect(plain.code != 0, "\(plain.said)")
    #expect(curl(host, host.port, "", "/health/live").output == "200 0 HTTPS")
    #expect(host.stop() == 0)
  }

  @Test(arguments: [
    ("first.pem", "second.key", "tls.mismatch"), ("bad.pem", "first.key", "tls.certificate_invalid"),
    ("first.pem", "bad.pem", "tls.key_invalid"), ("first.pem", "locked.key", "tls.key_invalid"),
    ("missing.pem", "first.key", "tls.unreadable"), ("first.pem", "missing.key", "tls.unreadable"),
  ])
  func filesThatNoClientCouldUseAreRefusedAtTheStart(certificate: String, key: String, code: String) {
    let settings = certificates.settings(certificate: certificate, key: key)
    let file = Fixtures.file(Array(settings.utf8), "council.yaml")
    let arguments = ["--home", Fixtures.home(), "--port", "0", "--admin-port", "0"]
    let run = CouncilCommand(["serve", "--config", file] + arguments)
    #expect(run.code == 1 && run.errors.contains(code), "\(run.said)")
    #expect(!run.errors.contains("PRIVATE KEY"))
    let check = CouncilCommand(["config", "check", file, "--json"] + arguments)
    #expect(check.code == 1 && check.problem?["code"]?.string == code, "\(check.said)")
  }

  /// The files change under the names that they have: who is connected stays so, who comes now sees the new one.
  @Test func aRenewedCertificateIsTakenUpByHUP() throws {
    let folder = Fixtures.home()
    System.shell("mkdir -p '\(folder)'")
    func install(_ name: String) {
      for kind in ["pem", "key"] {
        System.shell("cp '\(certificates.path("\(name).\(kind)"))' '\(folder)/now.\(kind)'")
      }
    }
    install("first")
    let host = try HostUnderTest(
      load: [HostUnderTest.hello],
      settings: "public:\n  tls_certificate: \(folder)/now.pem\n  tls_key: \(folder)/now.key\n")
    func sees(_ name: String) -> Bool {
      CouncilCommand(
        shell:
          "curl -sS --max-time 20 --cacert '\(certificates.path("\(name).pem"))' https://localhost:\(host.port)/health/live"
      ).code == 0
    }
    #expect(sees("first") && !sees("second"))

    // One connection, one request before and one after.
    let request = "GET /hello/x HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer \(host.agentKey)\\r\\n\\r\\n"
    let client = Child(
      "/bin/sh",
      [
        "-c",
        "(printf '\(request)'; until test -e '\(folder)/go'; do sleep 0.05; done; printf '\(request)'; sleep 2) | "
          + "openssl s_client -quiet -connect 127.0.0.1:\(host.port)",
      ], output: folder + "/answers")
    func answers() -> Int {
      System.text(folder + "/answers").split(separator: "HTTP/1.1 200", omittingEmptySubsequences: false)
        .count - 1
    }
    #expect(eventually { answers() == 1 }, "\(System.text(folder + "/answers"))")

    install("second")
    let old = host.servingPID
    host.process.signal(SIGHUP)
    #expect(host.successor(of: old) != nil, "\(host.log.suffix(2000))")
    #expect(eventually { sees("second") } && !sees("first"))
    System.write("", to: folder + "/go")
    #expect(eventually { answers() == 2 }, "\(System.text(folder + "/answers"))")
    _ = client.wait()
    #expect(host.stop() == 0)
  }

  @Test func anExpiredCertificateIsFoundByTheCheckAndServedWithALogLine() throws {
    let settings = certificates.settings(certificate: "expired.pem")
    let file = Fixtures.file(Array(settings.utf8), "council.yaml")
    let check = CouncilCommand([
      "config", "check", file, "--home", Fixtures.home(), "--port", "0", "--admin-port", "0", "--json",
    ])
    #expect(check.code == 1 && check.problem?["code"]?.string == "tls.expired", "\(check.said)")
    let host = try HostUnderTest(settings: settings)
    #expect(host.log.contains("the certificate of the public listener has expired"))
    #expect(host.stop() == 0)
  }
}

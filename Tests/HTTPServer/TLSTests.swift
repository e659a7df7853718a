import HTTPServer
import Kernel
import Testing

@Suite struct TLSTests {
  private func withTLS(_ body: (HTTPServer, Certificate) throws -> Void) throws {
    let certificate = try Certificate()
    let configuration = HTTPServerConfiguration(
      .address("127.0.0.1", port: 0),
      tls: .init(certificateFile: certificate.certificateFile, keyFile: certificate.keyFile))
    let server = HTTPServer(configuration, application: Scripted(maxBody: 100_000), log: SilentLog())
    try server.start()
    defer { server.stop(within: .zero) }
    try body(server, certificate)
  }

  @Test(arguments: ["-tls1_2", "-tls1_3"])
  func servesCurrentVersions(_ version: String) throws {
    try withTLS { server, certificate in
      let all = certificate.client(
        port: server.port, version, send: "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(all.contains("HTTP/1.1 200 OK"))
      #expect(all.contains("{\"ok\":true}"))
    }
  }

  @Test func refusesOldVersions() throws {
    try withTLS { server, certificate in
      let all = certificate.client(
        port: server.port, "-tls1_1 -cipher DEFAULT:@SECLEVEL=0",
        send: "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(!all.contains("HTTP/1.1"))
    }
  }

  @Test func refusesPlainText() throws {
    try withTLS { server, _ in
      let peer = try Peer(port: server.port)
      peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(!peer.receiveAll().contains("HTTP/1.1"))
    }
  }

  @Test func problemsTravelEncrypted() throws {
    try withTLS { server, certificate in
      for (request, code) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "http.bad_length"),
        ("GET / HTTP/7.0\r\n\r\n", "http.version"),
        (
          "POST /stream-full HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
          "disk.full"
        ),
      ] {
        #expect(certificate.client(port: server.port, "", send: request).contains(code))
      }
    }
  }

  @Test func missingOrBadFilesAreProblems() throws {
    let certificate = try Certificate()
    for (chain, key) in [
      ("/nowhere", certificate.keyFile), (certificate.certificateFile, "/nowhere"),
      (certificate.keyFile, certificate.certificateFile),
    ] {
      let configuration = HTTPServerConfiguration(
        .address("127.0.0.1", port: 0), tls: .init(certificateFile: chain, keyFile: key))
      #expect {
        try HTTPServer(configuration, application: Scripted(), log: SilentLog()).start()
      } throws: {
        ($0 as? Problem)?.code == "http.tls"
      }
    }
  }
}

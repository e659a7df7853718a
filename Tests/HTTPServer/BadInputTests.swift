import HTTPServer
import Testing

/// A request that must be refused, and how.
struct Bad: CustomTestStringConvertible, Sendable {
  var testDescription: String
  var bytes: String
  var status: Int
  var code: String

  init(_ description: String, _ bytes: String, _ status: Int, _ code: String) {
    testDescription = description
    self.bytes = bytes
    self.status = status
    self.code = code
  }
}

@Suite struct BadInputTests {
  static let lines: [Bad] = [
    Bad(
      "two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400,
      "http.duplicate_length"),
    Bad(
      "two equal lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
      400, "http.duplicate_length"),
    Bad(
      "a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", 400,
      "http.bad_length"),
    Bad(
      "a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400, "http.bad_length"),
    Bad(
      "a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\na", 400, "http.bad_length"
    ),
    Bad("an empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\na", 400, "http.bad_length"),
    Bad(
      "a hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na", 400,
      "http.bad_length"),
    Bad(
      "a huge length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\na", 413,
      "http.body_too_large"),
    Bad(
      "a length beyond 63 bits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\na",
      413, "http.body_too_large"),
    Bad(
      "length and coding",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
      "http.length_and_coding"),
    Bad(
      "coding and length",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400,
      "http.length_and_coding"),
    Bad(
      "unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nx", 501,
      "http.unknown_coding"),
    Bad(
      "two codings", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501,
      "http.unknown_coding"),
    Bad(
      "coding twice",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      501, "http.unknown_coding"),
    Bad(
      "coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
      "http.coding_in_http_1_0"),
    Bad("no host", "GET / HTTP/1.1\r\n\r\n", 400, "http.host"),
    Bad("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "http.host"),
    Bad("two hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "http.host"),
    Bad("NUL in the method", "G\0ET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.malformed"),
    Bad("NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.malformed"),
    Bad("NUL in the query", "GET /?a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.malformed"),
    Bad("NUL in a header's name", "GET / HTTP/1.1\r\nHost: a\r\nX\0Y: b\r\n\r\n", 400, "http.malformed"),
    Bad(
      "NUL in a header's value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\nY: d\r\n\r\n", 400, "http.malformed"
    ),
    Bad("NUL in the last value", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 400, "http.malformed"),
    Bad("NUL at the start of a line", "GET / HTTP/1.1\r\nHost: a\r\n\0X: b\r\n\r\n", 400, "http.malformed"),
    Bad("a control character", "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{1}c\r\n\r\n", 400, "http.malformed"),
    Bad("a bare carriage return", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400, "http.malformed"),
    Bad("a bare line feed", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, "http.malformed"),
    Bad("bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", 400, "http.malformed"),
    Bad("a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\nY: d\r\n\r\n", 400, "http.malformed"),
    Bad("a folded last line", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", 400, "http.malformed"),
    Bad("a blank before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "http.malformed"),
    Bad("a nameless header", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400, "http.malformed"),
    Bad("a name that is no token", "GET / HTTP/1.1\r\nHost: a\r\nX(Y): b\r\n\r\n", 400, "http.malformed"),
    Bad("a line without a colon", "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", 400, "http.malformed"),
    Bad("a first line without a colon", "GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400, "http.malformed"),
    Bad("two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.malformed"),
    Bad("a blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.bad_target"),
    Bad("a method that is no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.malformed"),
    Bad("a relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.bad_target"),
    Bad("a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.bad_target"),
    Bad("another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.bad_target"),
    Bad(
      "an address without an authority", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.bad_target"),
    Bad("an asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.bad_target"),
    Bad("a tunnel", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.bad_target"),
    Bad("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "http.version"),
    Bad("HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505, "http.version"),
    Bad("no version", "GET /\r\nHost: a\r\n\r\n", 400, "http.malformed"),
    Bad("another protocol", "GET / ICY/1.1\r\nHost: a\r\n\r\n", 400, "http.malformed"),
    Bad(
      "no chunk size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n", 400,
      "http.malformed"),
    Bad(
      "a chunk size that is no number",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n", 400, "http.malformed"),
    Bad(
      "a chunk longer than its size",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", 400,
      "http.malformed"),
    Bad(
      "a chunk beyond 64 bits",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", 413,
      "http.body_too_large"),
    Bad(
      "a malformed trailer",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n", 400,
      "http.malformed"),
  ]

  @Test(arguments: lines)
  func isRefusedWithAProblem(_ bad: Bad) throws {
    let application = Scripted()
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      peer.send(bad.bytes)
      let answer = try #require(peer.answer(), "no answer")
      #expect(answer.status == bad.status)
      #expect(answer.headers["content-type"] == "application/problem+json")
      #expect(answer.headers["connection"] == "close")
      #expect(answer.headers["x-concluded"] == "yes")
      #expect(answer.body.contains("\"code\":\"\(bad.code)\""), "\(answer.body)")
      #expect(answer.body.hasSuffix("}"))
      #expect(peer.receiveAll().isEmpty)
      #expect(application.hasSeen(.finished(sent: true)))
      let next = try Peer(port: port)
      next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(next.answer()).status == 200)
    }
  }

  /// libmicrohttpd ends such a connection without a word, and has no hook for it.
  @Test func aLineWithoutBlanksEndsTheConnection() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("nonsense\r\n\r\n")
      #expect(peer.receiveAll().isEmpty)
    }
  }

  private static let chunkedHead = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

  @Test func chunksUpToTheLimitAreTaken() throws {
    try withServer(Scripted(maxBody: 1024)) { _, port in
      let peer = try Peer(port: port)
      let half = String(repeating: "x", count: 512)
      for head in ["200\r\n\(half)\r\n0200;x\r\n\(half)\r\n", "400\r\n\(half)\(half)\r\n"] {
        for pieces in [1, 7, 100] {
          let whole = Array((BadInputTests.chunkedHead + head + "0\r\nX: y\r\n\r\n").utf8)
          for start in stride(from: 0, to: whole.count, by: (whole.count + pieces - 1) / pieces) {
            peer.send(Array(whole[start..<min(whole.count, start + (whole.count + pieces - 1) / pieces)]))
          }
          let answer = try #require(peer.answer())
          #expect(answer.status == 200 && answer.body == half + half)
        }
      }
    }
  }

  @Test func requestsBehindEachOtherWithChunksAreRead() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      let one = BadInputTests.chunkedHead + "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
      peer.send(String(repeating: one, count: 5))
      for _ in 0..<5 { #expect(try #require(peer.answer()).body == "abc") }
    }
  }

  @Test(arguments: [("gzip", 415), ("identity", 200), ("Identity", 200), ("identity, gzip", 415), ("", 415)])
  func aCodedBodyIsRefused(coding: String, status: Int) throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      let head = "HTTP/1.1\r\nHost: a\r\nContent-Encoding: \(coding)\r\n"
      peer.send("POST /echo \(head)Content-Length: 2\r\n\r\nab")
      let answer = try #require(peer.answer())
      #expect(answer.status == status)
      #expect(status == 200 || answer.body.contains("\"code\":\"http.content_coding\""))
      let other = try Peer(port: port)
      other.send("GET / \(head)\r\n")
      #expect(try #require(other.answer()).status == 200)
    }
  }

  @Test func headsUpToTheLimitAreRead() throws {
    try withServer(with: settings { $0.maxHeadBytes = 4096 }) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 3900))\r\n\r\n")
      #expect(try #require(peer.answer()).status == 200)
      peer.send("GET /\(String(repeating: "x", count: 3900)) HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(peer.answer()).status == 200)
    }
  }

  @Test func largerHeadsAreRefused() throws {
    try withServer(with: settings { $0.maxHeadBytes = 4096 }) { _, port in
      for size in [4096, 10_000, 100_000] {
        let peer = try Peer(port: port)
        peer.send("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: size))\r\n\r\n")
        let answer = try #require(peer.answer())
        #expect(answer.status == 431)
        #expect(answer.body.contains("\"code\":\"http.head_too_large\""))
      }
    }
  }

  @Test func longerTargetsAreRefused() throws {
    try withServer(with: settings { $0.maxHeadBytes = 4096 }) { _, port in
      for size in [10_000, 100_000] {
        let peer = try Peer(port: port)
        peer.send("GET /\(String(repeating: "x", count: size)) HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try #require(peer.answer())
        #expect(answer.status == 414)
        #expect(answer.body.contains("\"code\":\"http.target_too_long\""))
      }
    }
  }

  @Test func theBookkeepingOfHeadersCounts() throws {
    try withServer(with: settings { $0.maxHeadBytes = 1024 }) { _, port in
      let peer = try Peer(port: port)
      for (count, status) in [(50, 200), (60, 431)] {
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: y\r\n", count: count))\r\n")
        #expect(try #require(peer.answer()).status == status)
      }
    }
  }

  @Test func headersUpToTheLimitAreTaken() throws {
    try withServer(with: settings { $0.maxHeaders = 10 }) { _, port in
      let peer = try Peer(port: port)
      let nine = String(repeating: "X: y\r\n", count: 9)
      peer.send("GET / HTTP/1.1\r\nHost: a\r\n\(nine)\r\n")
      #expect(try #require(peer.answer()).status == 200)
      peer.send("GET / HTTP/1.1\r\nHost: a\r\nY: z\r\n\(nine)\r\n")
      let answer = try #require(peer.answer())
      #expect(answer.status == 431)
      #expect(answer.body.contains("\"code\":\"http.too_many_headers\""))
    }
  }
}

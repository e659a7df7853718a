import Kernel
import Testing

/// Requests that are malformed, too large or too slow, sent to a whole host: each gets its clear answer, and none
/// a 500.
@Suite struct InputTests {
  private static let limit = 1000
  /// Takes any JSON, of at most ``limit`` bytes.
  private static let anything =
    #"{"id":"reject","version":"1","routes":["#
    + #"{"method":"POST","path":"/any","operation":"take","scope":"reject:read","body":true,"max_body_bytes":\#(limit)},"#
    + #"{"method":"GET","path":"/any/{id}","operation":"look","scope":"reject:read"}]}"#

  private let host: HostUnderTest
  private let key: String

  init() throws {
    host = try HostUnderTest(
      load: [Fixtures.plugin(manifest: InputTests.anything), HostUnderTest.hello, HostUnderTest.accounts],
      settings: "http:\n  head_timeout_ms: 700\n  body_timeout_ms: 700\n  minimum_bytes_per_s: 1000000\n")
    key = try host.issueKey(["reject:*", "hello:*", "accounts:*"])
  }

  private var authorization: String { "Host: a\r\nAuthorization: Bearer \(key)\r\n" }

  /// Sends bytes on a connection of their own, and what comes back.
  private func send(_ bytes: [UInt8]) throws -> Connection.Answer? {
    let connection = try #require(Connection(port: host.port))
    _ = connection.send(bytes)
    return connection.answer()
  }

  private func send(_ text: String) throws -> Connection.Answer? { try send(Array(text.utf8)) }

  private func expectAProblem(
    _ answer: Connection.Answer?, _ status: Int, _ code: String, _ what: String,
    location: SourceLocation = #_sourceLocation
  ) {
    let comment: Comment = "\(what): \(answer.map { "\($0.status) \($0.headers) \($0.body)" } ?? "no answer")"
    #expect(answer?.status == status, comment, sourceLocation: location)
    #expect(answer?.code == code, comment, sourceLocation: location)
    #expect(answer?.headers["content-type"] == "application/problem+json", comment, sourceLocation: location)
    #expect(answer?.headers["x-request-id"]?.utf8.count == 32, comment, sourceLocation: location)
    #expect(answer?.headers["traceparent"]?.utf8.count == 55, comment, sourceLocation: location)
  }

  private func post(_ body: String, headers: String = "Content-Type: application/json\r\n") -> String {
    "POST /reject/any HTTP/1.1\r\n\(authorization)\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  private func chunked(_ body: String) -> String {
    let size = String(body.utf8.count, radix: 16)
    return
      "POST /reject/any HTTP/1.1\r\n\(authorization)Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
      + "\r\n\(size)\r\n\(body)\r\n0\r\n\r\n"
  }

  // MARK: Heads

  @Test func aMalformedHeadIsRefused() throws {
    let get = "GET /hello/x HTTP/1.1\r\n\(authorization)"
    let post = "POST /reject/any HTTP/1.1\r\n\(authorization)"
    let cases: [(what: String, bytes: String, status: Int, code: String)] = [
      ("a large head", get + "X: \(String(repeating: "x", count: 9000))\r\n\r\n", 431, "http.head_too_large"),
      (
        "many headers", get + String(repeating: "X: y\r\n", count: 101) + "\r\n", 431, "http.too_many_headers"
      ),
      (
        "a long target", "GET /\(String(repeating: "x", count: 20_000)) HTTP/1.1\r\n\r\n", 414,
        "http.target_too_long"
      ),
      ("a raw NUL in a header", get + "X: a\0b\r\n\r\n", 400, "http.malformed"),
      ("a raw NUL in the target", "GET /hello/\0 HTTP/1.1\r\n\(authorization)\r\n", 400, "http.malformed"),
      (
        "two lengths", post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400, "http.duplicate_length"
      ),
      (
        "length and coding", post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
        "http.length_and_coding"
      ),
      ("an unknown coding", post + "Transfer-Encoding: gzip\r\n\r\nx", 501, "http.unknown_coding"),
      ("a length that is none", post + "Content-Length: two\r\n\r\n{}", 400, "http.bad_length"),
      ("another version", "GET /hello/x HTTP/3.0\r\n\(authorization)\r\n", 505, "http.version"),
      ("no host", "GET /hello/x HTTP/1.1\r\n\r\n", 400, "http.host"),
      ("another expectation", get + "Expect: wonders\r\n\r\n", 417, "http.expectation"),
      (
        "TRACE, which is known", "TRACE /hello/x HTTP/1.1\r\n\(authorization)\r\n", 405,
        "request.method_not_allowed"
      ),
      ("an unknown method", "BREW /hello/x HTTP/1.1\r\n\(authorization)\r\n", 501, "request.method_unknown"),
    ]
    for (what, bytes, status, code) in cases { expectAProblem(try send(bytes), status, code, what) }
    #expect(try send(get + "\r\n")?.status == 200)
    #expect(host.stop() == 0)
  }

  @Test func aTargetThatIsNotPercentEncodedUTF8IsRefused() throws {
    for path in [
      "/hello/%", "/hello/%4", "/hello/%zz", "/hello/%00", "/hello/a%0Ab", "/hello/%C3%28", "/hello/%FF",
      "/hello/%ED%A0%80", "/hello/..", "/hello/%2e%2e", "/hello/a\\b",
    ] {
      let answer = try send("GET \(path) HTTP/1.1\r\n\(authorization)\r\n")
      expectAProblem(answer, 400, "request.path_invalid", path)
    }
    for query in ["limit=%zz", "%C3%28=1", "limit=%00"] {
      let answer = try send("GET /accounts/?\(query) HTTP/1.1\r\n\(authorization)\r\n")
      expectAProblem(answer, 400, "request.query_invalid", query)
    }
    let raw = try send(Array("GET /hello/".utf8) + [0xFF] + Array(" HTTP/1.1\r\n\(authorization)\r\n".utf8))
    #expect(raw?.status == 400 && raw?.code != nil, "\(raw?.body ?? "no answer")")
    // Decoded once, and only once.
    #expect(
      try send("GET /hello/%C3%A4%2541 HTTP/1.1\r\n\(authorization)\r\n")?.body
        == #"{"message":"Hello, ä%41!"}"#)
    #expect(host.stop() == 0)
  }

  // MARK: Bodies

  @Test func aBodyAboveTheRoutesLimitIsRefused() throws {
    let fits = "\"" + String(repeating: "x", count: InputTests.limit - 2) + "\""
    for bytes in [post(fits), chunked(fits)] { #expect(try send(bytes)?.status == 200) }
    let tooLarge = "\"" + String(repeating: "x", count: InputTests.limit - 1) + "\""
    expectAProblem(try send(post(tooLarge)), 413, "http.body_too_large", "declared")
    expectAProblem(try send(chunked(tooLarge)), 413, "http.body_too_large", "chunked")
    let promised =
      "POST /reject/any HTTP/1.1\r\n\(authorization)Content-Length: 99999999999999999999\r\n\r\n"
    expectAProblem(try send(promised), 413, "http.body_too_large", "beyond all numbers")
    #expect(host.stop() == 0)
  }

  @Test func aBodyThatIsNotPlainJSONIsRefused() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    for good in [nested(64), "9007199254740993", "1e300", "null", #"{"a":{"a":1},"b":[{"a":1}]}"#] {
      let answer = try send(post(good))
      #expect(answer?.status == 200, "\(good): \(answer?.body ?? "no answer")")
    }
    for bad in [
      nested(65), "1e400", "-1e999", "01", "+1", "NaN", #"{"a":1"#, "{}{}", "\"\u{1}\"", #""\ud800""#, "'a'",
      "[1,]",
      "{}\0",
    ] {
      expectAProblem(try send(post(bad)), 400, "request.json_invalid", bad)
    }
    let broken = Array(post("\"xx\"").utf8.dropLast(3)) + [0xC3, 0x28, 0x22]
    expectAProblem(try send(broken), 400, "request.json_invalid", "invalid UTF-8")
    for twice in [#"{"a":1,"a":1}"#, #"{"a":1,"\u0061":2}"#, #"[{"b":{"c":1,"d":1,"c":2}}]"#] {
      expectAProblem(try send(post(twice)), 422, "request.body_invalid", twice)
    }
    expectAProblem(try send(post("")), 400, "request.body_missing", "no body")
    expectAProblem(
      try send(post("{}", headers: "Content-Type: text/xml\r\n")), 415, "request.media_type", "XML")
    #expect(try send(post("{}", headers: "Content-Type: Application/JSON; charset=utf-8\r\n"))?.status == 200)
    for balance in ["9223372036854775808", "1e30", "99999999999999999999999999999999999999"] {
      let body = #"{"name":"a","email":"a@b.c","currency":"EUR","balance":\#(balance)}"#
      let answer = try host.call("POST", "/accounts/", key: key, body: body)
      #expect(
        (400..<500).contains(answer.status) && answer.code != nil,
        "\(balance): \(answer.status) \(answer.body)")
    }
    #expect(host.stop() == 0)
  }

  // MARK: Methods and paths

  @Test func methodsAndPathsAreToldApart() throws {
    expectAProblem(try host.call("GET", "/nowhere/", key: key), 404, "route.not_found", "no automation")
    expectAProblem(try host.call("GET", "/hello/a/b", key: key), 404, "route.not_found", "no route")
    let wrong = try host.call("DELETE", "/hello/x", key: key)
    expectAProblem(wrong, 405, "request.method_not_allowed", "another method")
    #expect(wrong.headers["allow"] == "GET, HEAD, OPTIONS")
    let options = try host.call("OPTIONS", "/accounts/")
    #expect(options.status == 204 && options.headers["allow"] == "GET, HEAD, POST, OPTIONS", "\(options)")
    #expect(try host.call("OPTIONS", "/health/live").headers["allow"] == "GET, HEAD, OPTIONS")
    #expect(try host.call("OPTIONS", "/nowhere/").status == 404)

    let get = try host.call("GET", "/hello/x", key: key)
    let head = try host.call("HEAD", "/hello/x", key: key)
    #expect(head.status == 200 && head.body.isEmpty)
    #expect(head.headers["content-length"] == get.headers["content-length"])
    #expect(head.headers["content-type"] == get.headers["content-type"])
    // A trailing slash says nothing.
    #expect(try host.call("GET", "/hello/x/", key: key).body == get.body)
    #expect(try host.call("GET", "/accounts", key: key).body == host.call("GET", "/accounts/", key: key).body)
    expectAProblem(try host.call("GET", "/hello//x", key: key), 404, "route.not_found", "an empty segment")
    #expect(host.stop() == 0)
  }

  // MARK: The connection

  @Test func aBodyIsAskedForOnlyWhenItIsWanted() throws {
    let head = "POST /reject/any HTTP/1.1\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n"
    let connection = try #require(Connection(port: host.port))
    #expect(connection.send(head + "\(authorization)Content-Length: 2\r\n\r\n"))
    #expect(connection.answer(interim: true)?.status == 100)
    #expect(connection.send("{}"))
    #expect(connection.answer(interim: true)?.status == 200)
    for (headers, status) in [
      ("Host: a\r\nContent-Length: 2\r\n", 401), ("\(authorization)Content-Length: 9999\r\n", 413),
    ] {
      let refused = try #require(Connection(port: host.port))
      #expect(refused.send(head + headers + "\r\n"))
      #expect(refused.answer(interim: true)?.status == status)
    }
    #expect(host.stop() == 0)
  }

  @Test func pipelinedRequestsAreAnsweredInOrder() throws {
    let connection = try #require(Connection(port: host.port))
    var bytes = ""
    for number in 0..<50 {
      bytes += "GET /hello/\(number) HTTP/1.1\r\n\(authorization)\r\n"
      bytes += post("{}")
    }
    #expect(connection.send(bytes))
    for number in 0..<50 {
      #expect(connection.answer()?.body == #"{"message":"Hello, \#(number)!"}"#)
      #expect(connection.answer()?.body == "{}")
    }
    #expect(host.stop() == 0)
  }

  @Test func slowClientsAreAnswered408() throws {
    for part in [
      "GET /hello/x HTTP/1.1\r\nHost: a\r\nX: ",
      "POST /reject/any HTTP/1.1\r\n\(authorization)Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{",
    ] {
      let answer = try send(part)
      #expect(answer?.status == 408 && answer?.code == "http.timeout", "\(answer?.body ?? "no answer")")
      #expect(answer?.headers["content-type"] == "application/problem+json")
    }
    #expect(try send("GET /hello/x HTTP/1.1\r\n\(authorization)\r\n")?.status == 200)
    #expect(host.stop() == 0)
  }
}

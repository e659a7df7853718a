import Application
import HTTPServer
import Patience
import Testing

@Suite struct RequestTests {
  @Test func keepsTheConnectionForFurtherRequests() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      for _ in 0..<3 {
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try #require(peer.answer())
        #expect(answer.status == 200)
        #expect(answer.body == "{\"ok\":true}")
        #expect(answer.headers["content-type"] == "application/json")
        #expect(answer.headers["x-concluded"] == "yes")
        #expect(answer.headers["connection"] == nil)
        #expect(answer.headers["date"] != nil)
      }
    }
  }

  @Test func answersPipelinedRequestsInOrder() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      let count = 5000
      let feeder = Thread {
        for number in 0..<count { peer.send("GET /query?\(number) HTTP/1.1\r\nHost: a\r\n\r\n") }
      }
      for number in 0..<count {
        let answer = try #require(peer.answer())
        #expect(answer.body == "\(number)")
      }
      feeder.join()
    }
  }

  @Test func answersPipelinedRequestsThatWaitForTheirAnswers() throws {
    let workers = Workers(2) { reply($0, "\(text($0, $0.rawQuery))") }
    try withServer(Scripted(pending: workers.give)) { _, port in
      let peer = try Peer(port: port)
      let count = 2000
      let feeder = Thread {
        for number in 0..<count { peer.send("GET /pending?\(number) HTTP/1.1\r\nHost: a\r\n\r\n") }
      }
      for number in 0..<count { #expect(try #require(peer.answer()).body == "\(number)") }
      feeder.join()
    }
    workers.end()
  }

  @Test func answersARequestThatComesByteByByte() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      for byte in "POST /echo?x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody".utf8 {
        peer.send([byte])
      }
      #expect(try #require(peer.answer()).body == "body")
    }
  }

  @Test func headAnswersWithTheLengthOfGetAndNoBody() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
      let head = try #require(peer.answer(hasBody: false))
      #expect(head.status == 200)
      #expect(head.length == 11)
      #expect(try #require(peer.answer()).body == "{\"ok\":true}")
    }
  }

  @Test(arguments: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
  func passesEveryKnownMethodOn(_ method: String) throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("\(method) /head HTTP/1.1\r\nHost: a\r\n\r\n")
      let answer = try #require(peer.answer(hasBody: method != "HEAD"))
      #expect(answer.status == 200)
      if method != "HEAD" { #expect(answer.body.hasPrefix(method + "\n")) }
    }
  }

  @Test(arguments: ["TRACE", "BREW", "get", "G"])
  func passesOtherMethodsOnAsUnknown(_ method: String) throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("\(method) /head HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(peer.answer()).body.hasPrefix("?\n"))
    }
  }

  @Test func optionsMayAskForTheWholeServer() throws {
    let application = Scripted()
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      peer.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(peer.answer()).status == 200)
      #expect(application.hasSeen(.begun("*")))
    }
  }

  @Test func http10ClosesUnlessAskedToKeep() throws {
    try withServer { _, port in
      let closing = try Peer(port: port)
      closing.send("GET / HTTP/1.0\r\n\r\n")
      let all = closing.receiveAll()
      #expect(all.hasPrefix("HTTP/1.1 200 OK\r\n"))
      #expect(all.contains("Connection: close\r\n"))
      let keeping = try Peer(port: port)
      for _ in 0..<2 {
        keeping.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(try #require(keeping.answer()).status == 200)
      }
    }
  }

  @Test func closesWhenTheClientAsks() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(peer.receiveAll().hasSuffix("{\"ok\":true}"))
    }
  }

  @Test func closesWhenTheApplicationAsks() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n")
      let all = peer.receiveAll()
      #expect(all.components(of: "Connection: close\r\n") == 2)
      #expect(all.components(of: "Date: ") == 2)
      #expect(all.hasSuffix("{}"))
    }
  }

  @Test func anAnswerWithoutContentHasNoBodyAndKeepsTheConnection() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /empty HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(peer.answer()).status == 204)
      #expect(try #require(peer.answer()).status == 200)
    }
  }

  @Test func answersBeforeHandlingKeepTheConnection() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      for _ in 0..<2 {
        peer.send("GET /at-once HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try #require(peer.answer()).body == "{\"at\":\"once\"}")
      }
    }
  }

  @Test func sendsLargeAnswersWhole() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      for _ in 0..<2 {
        peer.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try #require(peer.answer()).body.utf8.count == 8_000_000)
      }
    }
  }

  @Test func headersWithControlCharactersAreLeftOut() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /split HTTP/1.1\r\nHost: a\r\n\r\n")
      let answer = try #require(peer.answer())
      #expect(answer.body == "{}")
      let present = answer.headers.keys.filter { $0.hasPrefix("x-") && $0 != "x-concluded" }.sorted()
      #expect(present == ["x-1", "x-5", "x-6", "x-8", "x-9"])
    }
  }

  @Test func sendsManyHeadersAndTheDateOnce() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /many HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      let all = peer.receiveAll()
      for number in 0..<40 { #expect(all.contains("\r\nX-\(number): value \(number)\r\n")) }
      #expect(all.components(of: "Date: ") == 2)
      #expect(all.contains(" GMT\r\n"))
      #expect(all.hasSuffix("\r\n\r\n{}"))
    }
  }

  @Test func aHeadThatIsTooLargeToSendIsAProblem() throws {
    try withServer(with: settings { $0.maxHeadBytes = 4096 }) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /heavy?7000 HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(peer.answer()).headers["x-heavy"]?.utf8.count == 7000)
      peer.send("GET /heavy?8000 HTTP/1.1\r\nHost: a\r\n\r\n")
      let answer = try #require(peer.answer())
      #expect(answer.status == 500)
      #expect(answer.body.contains("\"code\":\"http.answer_head_too_large\""))
    }
  }

  @Test func callsTheApplicationOnceForEachStep() throws {
    let application = Scripted()
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(peer.answer() != nil)
      peer.send("GET /at-once HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(peer.answer() != nil)
      #expect(application.hasSeen(.finished(sent: true), times: 2))
    }
    #expect(
      application.seen == [
        .begun("/a"), .concluded(200), .finished(sent: true), .begun("/at-once"), .concluded(200),
        .finished(sent: true),
      ])
  }

  @Test func anAbandonedHeadReachesNobody() throws {
    let application = Scripted()
    try withServer(application, with: settings { $0.headTimeout = .milliseconds(200) }) { server, port in
      let peer = try Peer(port: port)
      peer.send("GET /a HTTP/1.1\r\nHost: ")
      peer.close()
      #expect(eventually { server.connectionCount == 0 })
    }
    #expect(application.seen.isEmpty)
  }
}

@Suite struct HeadTests {
  @Test func headersArriveInOrderWithLowerCaseNames() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send(
        "GET /head HTTP/1.1\r\nHOST: Example.org\r\nX-Custom-9:  spaced out \t\r\nAuthorization: Bearer a\r\n"
          + "Empty:\r\nX-API-Key: k1\r\nX-Api-KEY: k2\r\n\r\n")
      #expect(
        try #require(peer.answer()).body == """
          GET
          host=Example.org
          x-custom-9=spaced out
          authorization=Bearer a
          empty=
          x-api-key=k1
          x-api-key=k2
          --
          authorization:1Bearer a
          apiKey:2k1
          host:1Example.org
          """)
    }
  }

  @Test func everyKnownHeaderIsFound() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send(
        "POST /head HTTP/1.1\r\nHost: 1\r\nAuthorization: 2\r\nX-API-Key: 3\r\nContent-Type: 4\r\n"
          + "Content-Length: 0\r\ntraceparent: 6\r\nAccept: 7\r\nIf-Match: 8\r\nIf-None-Match: 9\r\nPrefer: 10\r\n"
          + "Idempotency-Key: 11\r\nOrigin: 12\r\n\r\n")
      let known = try #require(peer.answer()).body.split(separator: "--\n").last
      #expect(
        known == """
          authorization:12
          apiKey:13
          contentType:14
          contentLength:10
          traceparent:16
          accept:17
          ifMatch:18
          ifNoneMatch:19
          prefer:110
          idempotencyKey:111
          origin:112
          host:11
          """)
    }
  }

  @Test func namesAsLongAsKnownOnesAreNotTakenForThem() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send(
        "GET /head HTTP/1.1\r\nHost: h\r\nHast: 1\r\nAbcdef: 2\r\nOrigim: 3\r\nUf-Match: 4\r\nAuthorizatiom: 5\r\n\r\n"
      )
      #expect(try #require(peer.answer()).body.hasSuffix("--\nhost:1h"))
    }
  }

  @Test(arguments: [
    ("/a%2Fb/%C3%A4?x=%20&y=+", "/a%2Fb/%C3%A4", "x=%20&y=+"), ("/?a?b", "/", "a?b"), ("/p?", "/p", ""),
    ("http://example.org/p?q", "/p", "q"), ("HTTPS://example.org", "/", ""), ("http://e.org?q=/", "/", "q=/"),
    ("/a=b&c", "/a=b&c", ""),
  ])
  func theTargetStaysAsItWasSent(_ target: String, _ path: String, _ query: String) throws {
    let application = Scripted()
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(peer.answer()).status == 200)
      #expect(application.hasSeen(.begun(path)))
    }
    try withServer { _, port in
      guard path == "/" || path == "/p" else { return }
      let peer = try Peer(port: port)
      peer.send("GET /query?\(query) HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(peer.answer()).body == query)
    }
  }
}

import HTTPServer
import Testing

@Suite struct BodyTests {
  @Test(arguments: [0, 1, 1023, 1024])
  func bodiesUpToTheLimitArrive(_ count: Int) throws {
    try withServer(Scripted(maxBody: 1024)) { _, port in
      let peer = try Peer(port: port)
      let body = String(repeating: "b", count: count)
      for _ in 0..<2 {
        peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n\(body)")
        #expect(try #require(peer.answer()).body == body)
      }
    }
  }

  @Test func aLargeBodyArrivesWhole() throws {
    try withServer(Scripted(maxBody: 4_000_000)) { _, port in
      let peer = try Peer(port: port)
      let body = String(repeating: "0123456789", count: 400_000)
      let sender = Thread {
        peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n\(body)")
      }
      #expect(try #require(peer.answer()).body == body)
      sender.join()
    }
  }

  @Test func chunksAreJoined() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      for _ in 0..<2 {
        peer.send(
          "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n"
            + "3\r\nabc\r\n0A;ext=1\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n")
        #expect(try #require(peer.answer()).body == "abc0123456789")
      }
    }
  }

  @Test func chunksUpToTheLimitArrive() throws {
    try withServer(Scripted(maxBody: 10)) { _, port in
      let peer = try Peer(port: port)
      peer.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"
      )
      #expect(try #require(peer.answer()).body == "0123456789")
    }
  }

  @Test func chunksBeyondTheLimitAreRefusedBeforeTheirEnd() throws {
    let application = Scripted(maxBody: 10)
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      peer.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n567890\r\n")
      let answer = try #require(peer.answer())
      #expect(answer.status == 413)
      #expect(answer.headers["content-type"] == "application/problem+json")
      #expect(answer.headers["connection"] == "close")
      #expect(answer.headers["x-concluded"] == "yes")
      #expect(answer.body.contains("\"code\":\"http.body_too_large\""))
      #expect(answer.body.contains("\"limit_bytes\":10"))
      #expect(peer.receiveAll().isEmpty)
      #expect(application.hasSeen(.finished(sent: true)))
    }
    #expect(application.seen == [.begun("/echo"), .concluded(413), .finished(sent: true)])
  }

  @Test func aLengthBeyondTheLimitIsRefusedWithoutReading() throws {
    try withServer(Scripted(maxBody: 10)) { _, port in
      let peer = try Peer(port: port)
      peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
      let answer = try #require(peer.answer())
      #expect(answer.status == 413)
      #expect(answer.body.contains("\"code\":\"http.body_too_large\""))
      #expect(peer.receiveAll().isEmpty)
    }
  }

  @Test func aRefusalReachesAClientThatKeepsSending() throws {
    try withServer(Scripted(maxBody: 10)) { _, port in
      for _ in 0..<20 {
        let peer = try Peer(port: port)
        let sender = Thread {
          peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n")
          peer.send([UInt8](repeating: 0, count: 4_000_000))
        }
        sender.join()
        #expect(try #require(peer.answer()).status == 413)
      }
    }
  }

  @Test func continuesWhenAsked() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n")
      #expect(try #require(peer.answer()).status == 100)
      peer.send("body")
      #expect(try #require(peer.answer()).body == "body")
    }
  }

  @Test func refusesInsteadOfContinuing() throws {
    try withServer(Scripted(maxBody: 3)) { _, port in
      let peer = try Peer(port: port)
      peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
      #expect(try #require(peer.answer()).status == 413)
      #expect(peer.receiveAll().isEmpty)
    }
  }

  @Test func refusesOtherExpectations() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\nContent-Length: 4\r\n\r\nbody")
      let answer = try #require(peer.answer())
      #expect(answer.status == 417)
      #expect(answer.body.contains("\"code\":\"http.expectation\""))
    }
  }

  @Test func anAnswerBeforeTheBodyEndsTheConnection() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      peer.send(
        "POST /at-once HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\nHost: a\r\n\r\n")
      let answer = try #require(peer.answer())
      #expect(answer.body == "{\"at\":\"once\"}")
      #expect(answer.headers["connection"] == "close")
      #expect(peer.receiveAll().isEmpty)
    }
  }

  @Test func aSinkTakesTheBodyInPieces() throws {
    let application = Scripted(maxBody: 3_000_000)
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      let sender = Thread {
        peer.send("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
        peer.send([UInt8](repeating: 1, count: 3_000_000))
      }
      #expect(try #require(peer.answer()).status == 200)
      sender.join()
      #expect(application.streamed == 3_000_000)
    }
  }

  @Test func aSinkThatFailsRefusesTheRequest() throws {
    let application = Scripted()
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      peer.send("POST /stream-full HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nbody")
      let answer = try #require(peer.answer())
      #expect(answer.status == 507)
      #expect(answer.body.contains("\"code\":\"disk.full\""))
      #expect(peer.receiveAll().isEmpty)
      #expect(application.hasSeen(.finished(sent: true)))
    }
  }

  @Test func aClientThatLeavesInItsBodyIsReportedAsFinished() throws {
    let application = Scripted()
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n")
      #expect(try #require(peer.answer()).status == 100)
      peer.send("body")
      peer.reset()
      #expect(application.hasSeen(.finished(sent: false)))
    }
    #expect(application.seen == [.begun("/echo"), .finished(sent: false)])
  }
}

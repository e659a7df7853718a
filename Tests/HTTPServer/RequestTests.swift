import HTTPServer
import Testing

@Suite struct Requests {
  @Test func keepsTheConnectionForFurtherRequests() throws {
    try withServer { _, port in
      let peer = try Peer(port: port)
      for _ in 0..<3 {
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try #require(peer.answer())
        #expect(answer.status == 200)
        #expect(answer.body == "{\"ok\":true}")
        #expect(answer.headers["x-concluded"] == "yes")
        #expect(answer.headers["connection"] == nil)
        #expect(answer.headers["date"] != nil)
      }
    }
  }
}

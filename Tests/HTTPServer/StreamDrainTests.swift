import Application
import HTTPServer
import Kernel
import Patience
import Testing

/// A server that drains, and clients that hold the sockets of streams.
@Suite struct StreamDrainTests {
  /// Its client holds the socket, takes nothing, and would be waited for until the limit of sending.
  @Test(arguments: [AnswerStream.Kind.events, .bytes], [false, true])
  func aServerThatDrainsDoesNotWaitForAStreamThatHasEnded(kind: AnswerStream.Kind, byItself: Bool) throws {
    let clock = StoppedClock()
    let streams = Streams(kind)
    let limits = settings {
      $0.sendTimeout = .seconds(600)
      $0.lingerTime = .seconds(3)
    }
    try withServer(streams.application, with: limits, on: clock) { server, port in
      let peer = try Peer(port: port, receiveBuffer: 4096)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      let piece = String(repeating: "x", count: 8192)
      var isFull = false
      while !isFull {
        if stream.write(piece) == .full { isFull = !stream.waitForRoom(until: .now + .milliseconds(200)) }
      }
      /// Longer than the keeper takes to look.
      func isKept() -> Bool {
        _ = Monitor(()).wait(until: .now + .milliseconds(600)) { _ in nil as Bool? }
        return server.connectionCount == 1
      }
      if byItself {
        stream.end()
        // While the server serves, such a client has its time.
        clock.advance(by: .seconds(30))
        #expect(isKept())
        server.leave(idle: .zero)
        clock.advance(by: .seconds(1))
      } else {
        server.leave(idle: .zero)
        #expect(
          eventually {
            clock.advance(by: .seconds(1))
            return !stream.isOpen
          })
        clock.advance(by: .seconds(1))
        #expect(isKept())
        clock.advance(by: .seconds(2))
      }
      #expect(eventually { server.isDeserted })
      #expect(stream.write("") == .gone)
      #expect(streams.application.hasSeen(.finished(sent: false)))
      peer.close()
    }
  }
}

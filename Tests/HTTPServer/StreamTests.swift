import Application
import HTTPServer
import Kernel
import Patience
import Synchronization
import Testing

/// Answers that leave while they are written, over real sockets.
@Suite struct StreamTests {
  @Test func bytesLeaveBeforeTheAnswerIsComplete() throws {
    let streams = Streams()
    try withServer(streams.application) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      var reader = ChunkReader(peer)
      let answer = reader.head()
      let head = try #require(answer)
      #expect(head.status == 200)
      #expect(head.headers["transfer-encoding"] == "chunked")
      #expect(head.headers["content-length"] == nil)
      #expect(head.headers["cache-control"] == "no-cache")
      #expect(head.headers["x-accel-buffering"] == "no")
      #expect(head.headers["x-concluded"] == "yes")
      for number in 1...100 {
        #expect(stream.write("data: \(number)\n\n") == .ok)
        #expect(reader.next() == "data: \(number)\n\n")
      }
      #expect(!streams.application.seen.contains(.finished(sent: true)))
      stream.end()
      #expect(reader.next() == nil)
      #expect(reader.isWhole)
      #expect(streams.application.hasSeen(.finished(sent: true)))
      #expect(stream.write("late") == .gone)
      // The connection goes on.
      peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(peer.answer()).body == "{\"ok\":true}")
    }
  }

  @Test func aStreamThatIsWrittenAndEndedAtOnceIsWhole() throws {
    let streams = Streams { stream in
      stream.write("data: all\n\n")
      stream.end()
    }
    try withServer(streams.application) { _, port in
      let peer = try Peer(port: port)
      for _ in 0..<50 {
        peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
        var reader = ChunkReader(peer)
        #expect(reader.head()?.status == 200)
        #expect(reader.rest() == "data: all\n\n")
        #expect(reader.isWhole)
      }
    }
  }

  @Test func aClientOfHTTP10ReadsUntilTheConnectionCloses() throws {
    let streams = Streams()
    try withServer(streams.application) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
      let stream = try #require(streams.next())
      stream.write("one\n")
      #expect(eventually { peer.hasAnswer })
      stream.write("two\n")
      stream.end()
      let all = peer.receiveAll()
      #expect(!all.lowercased().contains("transfer-encoding"))
      #expect(all.hasSuffix("\r\n\r\none\ntwo\n"))
      #expect(streams.application.hasSeen(.finished(sent: true)))
    }
  }

  @Test func headHasTheHeadAlone() throws {
    let streams = Streams()
    try withServer(streams.application) { _, port in
      let peer = try Peer(port: port)
      peer.send("HEAD /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let answer = peer.receiveAll()
      #expect(answer.hasPrefix("HTTP/1.1 200 "))
      #expect(answer.hasSuffix("\r\n\r\n"))
      #expect(answer.components(of: "\r\n\r\n") == 2)
      #expect(!answer.lowercased().contains("content-length"))
      let stream = try #require(streams.next())
      #expect(eventually { stream.write("x") == .gone })
    }
  }

  @Test func aSlowClientFillsABoundedBuffer() throws {
    let streams = Streams()
    try withServer(streams.application) { _, port in
      let peer = try Peer(port: port, receiveBuffer: 4096)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      let piece = String(repeating: "x", count: 1020)
      var written = 0
      var isFull = false
      // What the kernel takes is beyond our reach, but not without end.
      while written < 100_000, !isFull {
        switch stream.write("\(1000 + written % 9000)" + piece) {
        case .ok: written += 1
        case .full: isFull = !stream.waitForRoom(until: .now + .milliseconds(200))
        case .gone, .tooLong: break
        }
      }
      #expect(isFull)
      #expect(written > 16)
      var reader = ChunkReader(peer)
      #expect(reader.head()?.status == 200)
      let waiter = Thread {
        #expect(eventually { stream.waitForRoom(until: .now + .milliseconds(100)) })
        stream.end()
      }
      let body = reader.rest()
      waiter.join()
      #expect(reader.isWhole)
      #expect(body.utf8.count == written * 1024)
      let expected = (0..<written).map { "\(1000 + $0 % 9000)" + piece }.joined()
      #expect(body == expected)
    }
  }

  @Test func oneWriteIsAtMostTheBuffer() throws {
    let streams = Streams()
    var limits = AnswerStreams.Limits()
    limits.bufferBytes = 1000
    try withServer(streams.application, with: settings { $0.streams = limits }) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      #expect(stream.write(String(repeating: "x", count: 1001)) == .tooLong)
      #expect(stream.write(String(repeating: "x", count: 1000)) == .ok)
      stream.end()
      var reader = ChunkReader(peer)
      #expect(reader.head() != nil)
      #expect(reader.rest().utf8.count == 1000)
    }
  }

  @Test(arguments: [false, true]) func aClientThatLeavesEndsItsStream(resets: Bool) throws {
    let streams = Streams()
    try withServer(streams.application) { server, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      stream.write("data: 1\n\n")
      var reader = ChunkReader(peer)
      #expect(reader.head() != nil)
      #expect(reader.next() == "data: 1\n\n")
      let isOver = Monitor(false)
      stream.whenOver { isOver.signal(all: true) { $0 = true } }
      if resets { peer.reset() } else { peer.close() }
      #expect(isOver.eventually { $0 ? true : nil } == true)
      #expect(stream.isEndedByHost)
      #expect(stream.write("data: 2\n\n") == .gone)
      #expect(eventually { server.connectionCount == 0 && server.exchanges.inUse == 0 })
      #expect(server.exchanges.streams.openCount == 0)
      #expect(streams.application.seen.last == .finished(sent: false))
    }
  }

  @Test func anAbortedStreamDoesNotLookWhole() throws {
    let streams = Streams(.bytes)
    try withServer(streams.application) { _, port in
      for version in ["1.1", "1.0"] {
        let peer = try Peer(port: port)
        peer.send("GET /pending HTTP/\(version)\r\nHost: a\r\n\r\n")
        let stream = try #require(streams.next())
        stream.write("half")
        #expect(eventually { peer.hasAnswer })
        stream.abort()
        #expect(!peer.receiveAll().hasSuffix("0\r\n\r\n"))
        #expect(!stream.isEndedByHost)
      }
      #expect(streams.application.hasSeen(.finished(sent: false), times: 2))
    }
  }

  @Test func whoeverWritesFromManyThreadsLosesNothing() throws {
    let streams = Streams()
    try withServer(streams.application) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      let writers = (0..<4).map { writer in
        Thread {
          for number in 0..<2000 {
            while stream.write("data: \(writer) \(number)\n\n") == .full {
              _ = stream.waitForRoom(until: .now + .milliseconds(100))
            }
          }
        }
      }
      let closer = Thread {
        for writer in writers { writer.join() }
        stream.end()
      }
      var reader = ChunkReader(peer)
      #expect(reader.head() != nil)
      let lines = reader.rest().split(separator: "\n\n")
      closer.join()
      #expect(lines.count == 8000)
      for writer in 0..<4 {
        let own = lines.filter { $0.hasPrefix("data: \(writer) ") }
        #expect(own == (0..<2000).map { "data: \(writer) \($0)" })
      }
    }
  }

  @Test func aThousandDroppedStreamsLeaveNothingBehind() throws {
    let streams = Streams { $0.write("data: 1\n\n") }
    try withServer(streams.application) { server, port in
      let before = Descriptors.count
      for _ in 0..<10 {
        var peers: [Peer] = []
        for _ in 0..<100 {
          let peer = try Peer(port: port)
          peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
          peers.append(peer)
        }
        #expect(eventually { server.exchanges.streams.openCount == 100 })
        for (number, peer) in peers.enumerated() {
          if number % 2 == 0 { peer.reset() } else { peer.close() }
        }
        #expect(eventually { server.connectionCount == 0 && server.exchanges.inUse == 0 })
        #expect(server.exchanges.streams.openCount == 0)
      }
      #expect(streams.application.hasSeen(.finished(sent: false), times: 1000))
      #expect(eventually { Descriptors.count <= before })
    }
  }
}

/// What the host does to streams by itself.
@Suite struct StreamLimitTests {
  @Test func aQuietStreamOfEventsGetsCommentsBetweenEvents() throws {
    let clock = StoppedClock()
    let streams = Streams()
    try withServer(streams.application, on: clock) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      var reader = ChunkReader(peer)
      #expect(reader.head() != nil)
      clock.advance(by: .seconds(14))
      #expect(!peer.hears(within: .milliseconds(600)))
      clock.advance(by: .seconds(1))
      #expect(reader.next() == ": keep-alive\n\n")
      // In the middle of an event nothing may come between.
      stream.write("data: a\r\n")
      #expect(reader.next() == "data: a\r\n")
      clock.advance(by: .seconds(20))
      #expect(!peer.hears(within: .milliseconds(600)))
      stream.write("\r\n")
      #expect(reader.next() == "\r\n")
      clock.advance(by: .seconds(15))
      #expect(reader.next() == ": keep-alive\n\n")
    }
  }

  @Test func aStreamOfBytesGetsNoComments() throws {
    let clock = StoppedClock()
    let streams = Streams(.bytes)
    try withServer(streams.application, on: clock) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(streams.next() != nil)
      var reader = ChunkReader(peer)
      #expect(reader.head() != nil)
      clock.advance(by: .seconds(60))
      #expect(!peer.hears(within: .milliseconds(600)))
    }
  }

  @Test(arguments: [AnswerStream.Kind.events, .bytes])
  func theHostEndsAStreamThatIsIdleTooLong(kind: AnswerStream.Kind) throws {
    let clock = StoppedClock()
    let streams = Streams(kind)
    try withServer(streams.application, on: clock) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      var reader = ChunkReader(peer)
      #expect(reader.head() != nil)
      clock.advance(by: .seconds(890))
      stream.write("x")
      #expect(reader.next()?.hasSuffix("x") == true)
      clock.advance(by: .seconds(899))
      #expect(stream.isOpen)
      clock.advance(by: .seconds(1))
      #expect(eventually { !stream.isOpen })
      #expect(stream.isEndedByHost)
      _ = reader.rest()
      // Events end well, for their client comes again; anything else is cut.
      #expect(reader.isWhole == (kind == .events))
    }
  }

  @Test func theHostEndsAStreamThatLastsTooLong() throws {
    let clock = StoppedClock()
    let streams = Streams()
    try withServer(streams.application, on: clock) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      var reader = ChunkReader(peer)
      #expect(reader.head() != nil)
      for number in 1...6 {
        #expect(stream.write("data: \(number)\n\n") == .ok)
        clock.advance(by: .seconds(600))
      }
      #expect(eventually { !stream.isOpen })
      #expect(reader.rest().contains("data: 6\n\n"))
      #expect(reader.isWhole)
    }
  }

  @Test func aClientThatTakesNothingIsCutOff() throws {
    let clock = StoppedClock()
    let streams = Streams()
    try withServer(streams.application, on: clock) { server, port in
      let peer = try Peer(port: port, receiveBuffer: 4096)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      let piece = String(repeating: "x", count: 8192)
      var isFull = false
      while !isFull {
        if stream.write(piece) == .full { isFull = !stream.waitForRoom(until: .now + .milliseconds(200)) }
      }
      clock.advance(by: .seconds(29))
      #expect(stream.write("") == .ok)
      clock.advance(by: .seconds(1))
      #expect(eventually { server.connectionCount == 0 })
      #expect(stream.write("") == .gone)
      #expect(streams.application.hasSeen(.finished(sent: false)))
      peer.close()
    }
  }

  @Test func asManyStreamsAreOpenAsMayBe() throws {
    let streams = Streams()
    var limits = AnswerStreams.Limits()
    limits.streams = 2
    try withServer(streams.application, with: settings { $0.streams = limits }) { _, port in
      let peers = try (0..<3).map { _ in try Peer(port: port) }
      for peer in peers[..<2] { peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n") }
      let first = try #require(streams.next())
      #expect(streams.next() != nil)
      peers[2].send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let refusal = try #require(peers[2].answer())
      #expect(refusal.status == 503)
      #expect(refusal.body.contains("stream.too_many"))
      first.end()
      #expect(streams.application.hasSeen(.finished(sent: true), times: 2))
      peers[2].send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(streams.next() != nil)
    }
  }

  @Test func aServerThatDrainsEndsItsStreams() throws {
    let clock = StoppedClock()
    let streams = Streams()
    try withServer(streams.application, on: clock) { server, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      let stream = try #require(streams.next())
      server.leave(idle: .zero)
      stream.write("data: still\n\n")
      var reader = ChunkReader(peer)
      #expect(reader.head() != nil)
      #expect(reader.next() == "data: still\n\n")
      #expect(
        eventually {
          clock.advance(by: .seconds(1))
          return !stream.isOpen
        })
      #expect(reader.rest() == "")
      #expect(reader.isWhole)
      #expect(
        eventually {
          clock.advance(by: .seconds(1))
          return server.isDeserted
        })
    }
  }

  @Test func aServerStopsWithStreamsOpen() throws {
    let streams = Streams()
    let server = HTTPServer(settings(), application: streams.application, log: SilentLog())
    try server.start()
    let peers = try (0..<20).map { _ in try Peer(port: server.port) }
    for peer in peers { peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n") }
    for _ in peers { #expect(streams.next() != nil) }
    #expect(server.stop(within: .zero))
    for peer in peers { #expect(peer.receiveAll().hasSuffix("0\r\n\r\n")) }
    #expect(server.exchanges.streams.openCount == 0)
  }

  @Test func aServerStopsAlthoughAClientTakesNothing() throws {
    let streams = Streams()
    let server = HTTPServer(settings(), application: streams.application, log: SilentLog())
    try server.start()
    let peer = try Peer(port: server.port, receiveBuffer: 4096)
    peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
    let stream = try #require(streams.next())
    let piece = String(repeating: "x", count: 8192)
    var isFull = false
    while !isFull {
      if stream.write(piece) == .full { isFull = !stream.waitForRoom(until: .now + .milliseconds(200)) }
    }
    #expect(server.stop(within: .zero))
    #expect(stream.write("") == .gone)
    peer.close()
  }
}

/// Streams as an application begins them, in order.
final class Streams: Sendable {
  let application: Scripted
  private let begun: Monitor<[AnswerStream]>

  init(_ kind: AnswerStream.Kind = .events, _ then: @escaping @Sendable (AnswerStream) -> Void = { _ in }) {
    let begun = Monitor<[AnswerStream]>([])
    self.begun = begun
    application = Scripted(pending: { exchange in
      guard exchange.claim(exchange.handle) else { return }
      exchange.status = 200
      exchange.addHeader("Content-Type", kind == .events ? "text/event-stream" : "application/octet-stream")
      do throws(Problem) {
        let stream = try exchange.beginStream(kind)
        then(stream)
        begun.signal(all: true) { $0.append(stream) }
      } catch { exchange.answer(error) }
      exchange.deliver()
    })
  }

  /// The next one; nil when none comes.
  func next() -> AnswerStream? {
    begun.eventually { $0.isEmpty ? nil : $0.removeFirst() }
  }
}

/// Reads one answer in chunks.
struct ChunkReader {
  private let peer: Peer
  private var bytes: [UInt8] = []
  /// The last chunk came.
  private(set) var isWhole = false

  init(_ peer: Peer) { self.peer = peer }

  mutating func head() -> Answer? {
    while true {
      if let head = Answer(head: bytes) {
        bytes.removeFirst(head.end)
        return head
      }
      guard more() else { return nil }
    }
  }

  /// The next chunk; nil at the end.
  mutating func next() -> String? {
    guard !isWhole else { return nil }
    while true {
      if let end = bytes.firstIndex(of: UInt8(ascii: "\n")),
        let count = Int(String(decoding: bytes[..<(end - 1)], as: UTF8.self), radix: 16),
        bytes.count >= end + 1 + count + 2
      {
        let chunk = String(decoding: bytes[(end + 1)..<(end + 1 + count)], as: UTF8.self)
        bytes.removeFirst(end + 1 + count + 2)
        isWhole = count == 0
        return count == 0 ? nil : chunk
      }
      guard more() else { return nil }
    }
  }

  mutating func rest() -> String {
    var all = ""
    while let chunk = next() { all += chunk }
    return all
  }

  private mutating func more() -> Bool {
    let some = peer.receive()
    bytes += some
    return !some.isEmpty
  }
}

import Application
import Kernel
import Synchronization

/// The streams in a runner that its plugin writes into, and what waits for other threads.
final class StreamOutlets: Sendable {
  /// The way of one stream into its ring. One thread at a time moves its bytes.
  final class Outlet: Sendable {
    enum Turn {
      /// A thread moves bytes, or the stream calls one when there are some.
      case moving
      /// The ring is full: the thread of streams goes on.
      case starved
    }

    let exchange: Exchange
    let stream: AnswerStream
    let number: Int
    let sequence: UInt64
    let turn = Monitor(Turn.moving)

    init(_ exchange: Exchange, _ stream: AnswerStream, _ number: Int, _ sequence: UInt64) {
      self.exchange = exchange
      self.stream = stream
      self.number = number
      self.sequence = sequence
    }
  }

  let limits: AnswerStreams
  private let outlets = Monitor<[Int: Outlet]>([:])
  /// Requests whose streams the host has ended: the plugin is to be told.
  private let cancels = Monitor<[UInt64]>([])
  /// By call: bytes written into its ring, of all its streams.
  let written: AtomicWords

  init(_ board: SharedBoard) {
    // How many there may be, the host decides for each call.
    limits = AnswerStreams(
      AnswerStreams.Limits(
        streams: .max, bufferBytes: max(1, Int(clamping: board.load(BoardLayout.streamBuffer))),
        longest: .nanoseconds(Int64(clamping: board.load(BoardLayout.streamLongest)))))
    written = AtomicWords(count: board.layout.calls)
  }

  func add(_ outlet: Outlet) { outlets.withLock { $0[outlet.number] = outlet } }
  subscript(number: Int) -> Outlet? { outlets.withLock { $0[number] } }
  func remove(_ outlet: Outlet) {
    outlets.withLock { if $0[outlet.number] === outlet { $0[outlet.number] = nil } }
  }

  func addCancel(_ request: UInt64) { cancels.withLock { $0.append(request) } }
  var hasCancels: Bool { cancels.withLock { !$0.isEmpty } }
  func takeCancels() -> [UInt64] {
    cancels.withLock { all in
      defer { all = [] }
      return all
    }
  }
}

// Answers that are streams. To the plugin's code nothing is different: it writes into an `AnswerStream`, and what follows takes
// the place of the edge that sends it. Who writes moves the bytes on into the ring, on its own thread.

extension RunnerCalls {
  /// What stands in the exchange of a handler that may stream.
  static func permit(_ route: UInt64) -> Exchange.StreamPermit {
    if route & BoardLayout.mayStream == 0 { return .denied }
    return route & BoardLayout.noStreamNow == 0 ? .granted : .busy
  }

  /// Before the host is told of the stream.
  func prepare(_ stream: AnswerStream, _ exchange: Exchange, _ number: Int, _ sequence: UInt64)
    -> StreamOutlets.Outlet
  {
    let outlet = StreamOutlets.Outlet(exchange, stream, number, sequence)
    let start = board.load(board.layout.stream(number, .taken))
    outlets.written.store(start, at: number)
    board.store(start, at: board.layout.stream(number, .written))
    outlets.add(outlet)
    return outlet
  }

  func begin(_ outlet: StreamOutlets.Outlet) {
    outlet.stream.connect { [unowned self] in move(outlet) }
    move(outlet)
  }

  /// Moves what there is into the ring, as far as there is room. [whoever has the turn]
  private func move(_ outlet: StreamOutlets.Outlet) {
    let (number, layout) = (outlet.number, board.layout)
    var position = outlets.written.load(number)
    var isNew = false
    while true {
      let room = self.room(number, position)
      if room == 0 {
        if isNew { tellOfBytes(number) }
        isNew = false
        switch pause(outlet, position) {
        case .goesOn: continue
        case .starves: return
        case .isOver:
          outlet.stream.fail()
          return finish(outlet, .cut)
        }
      }
      let start = Int(position % UInt64(BoardLayout.ringBytes))
      let next = outlet.stream.take(upTo: min(room, BoardLayout.ringBytes - start), pause: {}) { bytes in
        var cursor = layout.ring(number) + start
        board.write(bytes, at: &cursor)
      }
      switch next {
      case .bytes(let count):
        position &+= UInt64(count)
        outlets.written.store(position, at: number)
        board.store(position, at: layout.stream(number, .written))
        isNew = true
      // From here on the stream may have called another thread: nothing of the outlet is this one's any more.
      case .wait: return isNew ? tellOfBytes(number) : ()
      case .end: return finish(outlet, .whole)
      case .broken: return finish(outlet, .cut)
      }
    }
  }

  private func room(_ number: Int, _ position: UInt64) -> Int {
    let waiting = position &- board.load(board.layout.stream(number, .taken))
    return waiting < UInt64(BoardLayout.ringBytes) ? BoardLayout.ringBytes - Int(waiting) : 0
  }

  private enum Pause { case goesOn, starves, isOver }

  /// Leaves the turn to the thread of streams, unless there is room by now.
  private func pause(_ outlet: StreamOutlets.Outlet, _ position: UInt64) -> Pause {
    let starved = board.layout.stream(outlet.number, .starved)
    board.insert(1, at: starved)
    // Either the host sees that, or what it took is seen here.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    return outlet.turn.withLock { turn in
      if isOver(outlet) { return .isOver }
      if room(outlet.number, position) > 0 {
        board.store(0, at: starved)
        return .goesOn
      }
      turn = .starved
      return .starves
    }
  }

  private func isOver(_ outlet: StreamOutlets.Outlet) -> Bool {
    board.load(board.layout.stream(outlet.number, .over)) == outlet.sequence
  }

  private func tellOfBytes(_ number: Int) {
    board.insert(1 << UInt64(number % 64), at: BoardLayout.streamed(number / 64))
    board.ring(BoardLayout.hostBell, sleeper: BoardLayout.hostSleeps)
  }

  private func finish(_ outlet: StreamOutlets.Outlet, _ end: StreamTable.End) {
    let (exchange, stream) = (outlet.exchange, outlet.stream)
    let request = exchange.handle
    outlets.remove(outlet)
    if isOver(outlet) {
      // The host waits until the handler is back: `recycle` says so.
      dropped.storeReleasing(RunnerCalls.droppedStream, at: Int(exchange.slot))
    } else {
      tellEnd(outlet.number, outlet.sequence, end)
    }
    stream.finish()
    if stream.isEndedByHost {
      outlets.addCancel(request)
      board.ring(BoardLayout.controlBell)
    }
    if exchange.relinquish() { recycle(exchange) }
  }

  func tellEnd(_ number: Int, _ sequence: UInt64, _ end: StreamTable.End) {
    board.store(sequence << 2 | end.rawValue, at: board.layout.stream(number, .ended))
    tellOfBytes(number)
  }

  // MARK: The thread of streams

  /// Goes on with streams whose rings have room again, and ends those that are over. Calls nothing of the plugin.
  func serveStreams() -> Never {
    let words = 0..<board.layout.words
    while true {
      for word in words {
        forEachBit(board.takeAll(BoardLayout.streamRoom(word))) { bit in
          if let outlet = outlets[word * 64 + bit] { wake(outlet) }
        }
      }
      board.sleep(
        BoardLayout.streamBell, sleeper: nil, limit: .seconds(1),
        unless: { words.contains { board.load(BoardLayout.streamRoom($0)) != 0 } })
    }
  }

  private func wake(_ outlet: StreamOutlets.Outlet) {
    // Whoever has the turn sees that; the stream calls `move` where nobody has.
    if isOver(outlet) { outlet.stream.fail() }
    let isMine = outlet.turn.withLock { turn in
      guard turn == .starved else { return false }
      turn = .moving
      return true
    }
    if isMine { move(outlet) }
  }
}

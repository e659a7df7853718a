import Application
import Kernel

// Answers of a runner that are streams: what its handlers write, on its way to the clients.
//
// The runner writes into a ring of the board and the collector takes it out, as far as the stream that the client reads has
// room. A client that is slow so fills three buffers, of which the plugin sees the last: that of the `AnswerStream` in its
// process. The host believes the runner one number, how many bytes it has written, and only as far as the ring goes.

extension Runner {
  // MARK: Room

  /// What a call is told of streams, beside its route. Where it may begin one, room for that is kept. [event]
  func admitStream(_ exchange: Exchange, _ number: Int) -> UInt64 {
    guard exchange.mayStream else { return 0 }
    guard exchange.streams.hold() else { return BoardLayout.mayStream | BoardLayout.noStreamNow }
    streams.hold(number)
    return BoardLayout.mayStream
  }

  /// The call is over: room that it did not use is free again.
  func forgoStream(_ number: Int) {
    guard streams.isHeld(number), streams.takeHeld(number) else { return }
    exchanges.exchange(slot: UInt32(truncatingIfNeeded: table.request(number)) &- 1)?.streams.leave()
  }

  // MARK: Beginning

  /// Whether an answer may be what it is: a stream, only of a call that was allowed one.
  func mayBegin(_ parts: AnswerImage.Parts, _ number: Int) -> Bool {
    !parts.isStream || streams.isHeld(number)
  }

  /// Begins the stream that the answer of a taken call turned out to be; its place stays taken. Returns the exchange, whose
  /// caller delivers it; nil stands for a call that nobody waits for.
  func begin(
    _ parts: AnswerImage.Parts, _ number: Int, _ sequence: UInt64, _ incarnation: Int, _ exchange: Exchange?,
    _ scratch: Arena
  ) -> Exchange? {
    var entry = StreamTable.Entry(sequence: sequence)
    if let exchange, streams.takeHeld(number) {
      let isEvents = parts.headers.contains { field in
        AnswerRules.isContentType(scratch.span(field.name))
          && scratch.span(field.value).hasPrefix(ignoringCase: AnswerRules.events)
      }
      let stream = exchange.streams.makeHeld(isEvents ? .events : .bytes)
      AnswerImage.answer(exchange, parts, board, scratch)
      exchange.beginStream(stream)
      entry.stream = stream
      entry.patience = min(
        max(0, exchange.deadline.nanoseconds &- exchange.started.nanoseconds), Runner.longestPatience)
      stream.feed { [self] in hasNews(of: number) }
    } else {
      tellOver(number, &entry)
    }
    board.store(sequence, at: layout.call(number, .consumed))
    if streams.insert(entry, number, incarnation) {
      // What it wrote before the entry was there.
      hasNews(of: number)
    } else {
      end(number, sequence)
      entry.stream?.abort()
    }
    return exchange
  }

  private static let longestPatience: Int64 = 3_600_000_000_000

  /// [any]
  private func hasNews(of number: Int) {
    streams.news.give(number)
    board.ring(BoardLayout.hostBell, sleeper: BoardLayout.hostSleeps)
  }

  // MARK: Moving bytes

  /// [collector]
  func takeStreams(_ scratch: Arena) -> Bool {
    var found = false
    for word in 0..<layout.words {
      let bits = board.takeAll(BoardLayout.streamed(word))
      if bits == 0 { continue }
      found = true
      // A bit of a stream that is over says nothing; one of a stream that begins is looked at again.
      forEachBit(bits) { bit in
        if word * 64 + bit < layout.calls { attend(word * 64 + bit, scratch) }
      }
    }
    while let number = streams.news.take() {
      found = true
      attend(number, scratch)
    }
    return found
  }

  /// Does what is to do for a stream now.
  private func attend(_ number: Int, _ scratch: Arena) {
    guard var entry = streams[number] else { return }
    // The end first: what was written before it is written by now.
    let ended = board.load(layout.stream(number, .ended))
    if entry.end == nil, ended >> 2 == entry.sequence, let how = StreamTable.End(rawValue: ended & 3) {
      entry.end = (how, board.load(layout.stream(number, .written)))
    }
    if let stream = entry.stream, !stream.isOpen {
      entry.stream = nil
      tellOver(number, &entry)
    }
    var isWhole = false
    if let stream = entry.stream, entry.end.map({ $0.how == .whole }) ?? true {
      let written = entry.end?.written ?? board.load(layout.stream(number, .written))
      if written &- streams.position(number) > UInt64(BoardLayout.ringBytes) {
        entry.end = (.cut, written)
        breach("a stream that overtakes its ring")
      } else {
        isWhole = move(number, upTo: written, stream, scratch) && entry.end != nil
        if !isWhole { return streams[number] = entry }
      }
    }
    guard entry.end != nil else { return streams[number] = entry }
    streams[number] = nil
    end(number, entry.sequence)
    if isWhole { entry.stream?.end() } else { entry.stream?.abort() }
  }

  /// Moves what is in the ring, as far as there is room; true when that was all.
  private func move(_ number: Int, upTo written: UInt64, _ stream: AnswerStream, _ scratch: Arena) -> Bool {
    var taken = streams.position(number)
    while taken != written {
      let start = Int(taken % UInt64(BoardLayout.ringBytes))
      let count = min(Int(written &- taken), BoardLayout.ringBytes - start)
      scratch.removeAll()
      let bytes = board.copy(layout.ring(number) + start, count, to: scratch)
      let moved = stream.offer(scratch.span(bytes)) ?? 0
      taken &+= UInt64(moved)
      if moved < count { break }
    }
    if taken != streams.position(number) {
      streams.advance(number, to: taken)
      board.store(taken, at: layout.stream(number, .taken))
      board.insert(1 << UInt64(number % 64), at: BoardLayout.streamRoom(number / 64))
      board.ring(BoardLayout.streamBell, sleeper: layout.stream(number, .starved))
    }
    return taken == written
  }

  /// Tells the runner that nobody wants more of a stream.
  private func tellOver(_ number: Int, _ entry: inout StreamTable.Entry) {
    entry.until = .now + .nanoseconds(entry.patience)
    board.store(entry.sequence, at: layout.stream(number, .over))
    board.insert(1 << UInt64(number % 64), at: BoardLayout.streamRoom(number / 64))
    board.ring(BoardLayout.streamBell)
  }

  // MARK: A process that ended

  /// Cuts the streams that it had not ended. Those that it had go on out of their rings. After its calls have failed.
  func buryStreams() {
    dropStreams { $0.stream == nil || $0.end?.how != .whole }
    for word in 0..<layout.words {
      _ = board.takeAll(BoardLayout.streamed(word))
      _ = board.takeAll(BoardLayout.streamRoom(word))
    }
    // The next one begins where the host is, whatever this one wrote there.
    for number in 0..<layout.calls
    where board.load(layout.stream(number, .taken)) != streams.position(number) {
      board.store(streams.position(number), at: layout.stream(number, .taken))
    }
  }

  func dropStreams(_ fits: (StreamTable.Entry) -> Bool) {
    for (number, entry) in streams.remove(endsProcess: true, fits) {
      end(number, entry.sequence)
      entry.stream?.abort()
    }
  }
}

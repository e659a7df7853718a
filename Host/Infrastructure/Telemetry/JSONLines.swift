package import Application
package import Kernel
import Synchronization

/// Log lines as JSON, one object a line, written by a thread of its own.
///
/// Each line has `timestamp` (RFC 3339, milliseconds), `level`, `module`, `message`, then `request_id`,
/// `trace_id`, `duration_ms` and `status_code` where they are given, then all other fields by name. A caller
/// renders its line and leaves; when the queue is full the line is counted and dropped, and the count
/// is logged as soon as there is room.
package final class JSONLines: LogSink {
  package struct Limits: Sendable {
    /// Waiting to be written; a line beyond that is dropped.
    package var queueBytes = 4 << 20
    /// Of one line. A message is cut at half of it; fields that no longer fit are left out and
    /// `"truncated":true` says so.
    package var lineBytes = 16 << 10

    package init() {}
  }

  private struct Queue {
    var waiting = Arena(capacity: 4096)
    var spare: Arena? = Arena(capacity: 4096)
    var dropped: UInt64 = 0
    var isClosed = false
    /// Rounds of writing that are done; a flush waits for two.
    var isWriting = false
  }

  private let output: LogOutput
  private let limits: Limits
  private let now: @Sendable () -> Timestamp
  private let threshold: Atomic<Int>
  private let lost = Atomic<UInt64>(0)
  private let lines = ThreadSlots { _ in Arena(capacity: 1024) }
  private let queue = Monitor(Queue())
  private let thread = Monitor<OSThread?>(nil)

  package init(
    to output: LogOutput = .standardError, level: LogLevel = .info, limits: Limits = Limits(),
    now: @escaping @Sendable () -> Timestamp = { .now }
  ) {
    precondition(limits.lineBytes >= 512 && limits.queueBytes >= limits.lineBytes)
    self.output = output
    self.limits = limits
    self.now = now
    threshold = Atomic(level.rawValue)
    thread.withLock { $0 = OSThread("log") { [self] in run() } }
  }

  package var level: LogLevel {
    get { LogLevel(rawValue: threshold.load(ordering: .relaxed)) ?? .info }
    set { threshold.store(newValue.rawValue, ordering: .relaxed) }
  }

  /// How many lines were dropped since the start.
  package var dropped: UInt64 { lost.load(ordering: .relaxed) }

  package func write(
    _ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]
  ) {
    guard level >= self.level else { return }
    // A plugin may start more threads than the host numbers.
    let line = OSThread.number == nil ? Arena(capacity: 1024) : lines.current
    line.removeAll()
    render(level, module, message, fields, into: line)
    let isKept = queue.signal(all: true) { queue in
      let fits = !queue.isClosed && queue.waiting.count + line.count <= limits.queueBytes
      if fits { queue.waiting.append(line.span(line.all)) } else { queue.dropped += 1 }
      return fits
    }
    if !isKept { lost.add(1, ordering: .relaxed) }
  }

  /// Returns when everything logged before is written, or after `timeout`; true when it is.
  @discardableResult
  package func flush(timeout: Duration = .seconds(5)) -> Bool {
    queue.wait(until: .now + timeout) { queue in
      queue.waiting.count == 0 && !queue.isWriting ? true : nil
    } ?? false
  }

  /// Writes what waits and ends the thread; lines that come later are dropped. Call once the output can be
  /// written to: it waits for that.
  package func close() {
    let ending = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    queue.signal(all: true) { $0.isClosed = true }
    ending?.join()
  }

  // MARK: The writing thread

  private func run() {
    while let full = nextBatch() {
      if !output.write(full.batch.span(full.batch.all)) { lost.add(full.lines, ordering: .relaxed) }
      full.batch.removeAll()
      queue.signal(all: true) { queue in
        queue.spare = full.batch
        queue.isWriting = false
      }
    }
  }

  private func nextBatch() -> (batch: Arena, lines: UInt64)? {
    let taken = queue.wait { queue -> (Arena?, UInt64)? in
      guard queue.waiting.count > 0 || queue.dropped > 0 else { return queue.isClosed ? (nil, 0) : nil }
      let batch = queue.waiting
      queue.waiting = queue.spare ?? Arena(capacity: 4096)
      queue.spare = nil
      queue.isWriting = true
      let dropped = queue.dropped
      queue.dropped = 0
      return (batch, dropped)
    }
    guard let taken, let batch = taken.0 else { return nil }
    if taken.1 > 0 {
      render(
        .warning, "log", "lines were dropped: the queue was full",
        ["dropped_lines": .integer(Int64(clamping: taken.1))], into: batch)
    }
    return (batch, countLines(batch))
  }

  private func countLines(_ batch: Arena) -> UInt64 {
    let bytes = batch.span(batch.all)
    var count: UInt64 = 0
    for index in bytes.indices where bytes[index] == 0x0A { count += 1 }
    return count
  }

  // MARK: Rendering

  private static let first = ["request_id", "trace_id", "duration_ms", "status_code"]
  private static let reserved = ["timestamp", "level", "module", "message", "truncated"]
  private static let truncated: StaticString = ",\"truncated\":true"

  private func render(
    _ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue],
    into line: Arena
  ) {
    let start = line.count
    let end = start + limits.lineBytes - JSONLines.truncated.utf8CodeUnitCount - 2
    line.append("{\"timestamp\":\"")
    line.append(now().text)
    line.append("\",\"level\":\"")
    line.append(level.name)
    line.append("\",\"module\":\"")
    line.append(module)
    line.append("\",\"message\":")
    var isTruncated = appendMessage(message, to: line)
    for name in JSONLines.first {
      guard let value = fields[name] else { continue }
      isTruncated = !appendField(name, value, to: line, until: end) || isTruncated
    }
    for name in fields.keys.sorted() where !JSONLines.first.contains(name) {
      let shown = JSONLines.reserved.contains(name) ? "field_" + name : name
      isTruncated = !appendField(shown, fields[name] ?? .null, to: line, until: end) || isTruncated
    }
    if isTruncated { line.append(JSONLines.truncated) }
    line.append("}\n")
  }

  /// Whether it was cut. Escapes make a byte six at most, so the cut is found after writing.
  private func appendMessage(_ message: String, to line: Arena) -> Bool {
    let room = limits.lineBytes / 2
    var kept = Substring(message)
    if kept.utf8.count > room { kept = JSONLines.prefix(message, utf8Count: room) }
    let start = line.count
    line.append(jsonString: String(kept).utf8.span)
    while line.count - start > room {
      line.truncate(to: start)
      kept = JSONLines.prefix(String(kept), utf8Count: kept.utf8.count / 2)
      line.append(jsonString: String(kept).utf8.span)
    }
    return kept.utf8.count < message.utf8.count
  }

  private func appendField(_ name: String, _ value: JSONValue, to line: Arena, until end: Int) -> Bool {
    let before = line.count
    line.append(",")
    line.append(jsonString: name.utf8.span)
    line.append(":")
    line.append(json: value)
    if line.count <= end { return true }
    line.truncate(to: before)
    return false
  }

  /// At most so many bytes, ending between two characters.
  private static func prefix(_ text: String, utf8Count: Int) -> Substring {
    var end = text.utf8.index(text.startIndex, offsetBy: min(utf8Count, text.utf8.count))
    while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
    return text[..<end]
  }
}

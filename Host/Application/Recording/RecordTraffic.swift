import Domain
package import Kernel
import Synchronization

/// Records a bounded sample of an automation's traffic into a file, redacted: `council automations record`.
package final class RecordTraffic: Sendable {
  package struct Limits: Sendable {
    package var seconds: Int
    package var exchanges: Int
    /// Of one file, of what waits to be written, and of one body.
    package var fileBytes: Int
    package var queueBytes: Int
    package var partBytes: Int
    /// Names that are never kept, whatever a schema says.
    package var redact: [String]
    /// Between two looks at the queue.
    package var look: Duration

    package init(
      seconds: Int = 3600, exchanges: Int = 100_000, fileBytes: Int = 64 << 20, queueBytes: Int = 4 << 20,
      partBytes: Int = 256 << 10, redact: [String] = [], look: Duration = .milliseconds(20)
    ) {
      self.seconds = seconds
      self.exchanges = exchanges
      self.fileBytes = fileBytes
      self.queueBytes = queueBytes
      self.partBytes = partBytes
      self.redact = redact
      self.look = look
    }
  }

  package struct Report: Sendable {
    package var isRunning: Bool
    package var automation: String
    package var name: String
    package var path: String
    package var recorded = 0
    package var bytes = 0
    /// Not copied because the queue was full or busy; and not kept because they are too long or no JSON.
    package var dropped = 0
    package var skipped = 0
    /// Why it ended early; nil when it did not.
    package var fault: String?

    package var json: JSONValue {
      [
        "state": isRunning ? "running" : "ended", "automation": .string(automation), "name": .string(name),
        "file": .string(path), "recorded": .integer(Int64(recorded)), "bytes": .integer(Int64(bytes)),
        "dropped": .integer(Int64(dropped)), "skipped": .integer(Int64(skipped)),
        "fault": fault.map(JSONValue.string) ?? .null,
      ]
    }
  }

  package let limits: Limits
  private let automations: Automations
  private let files: any RecordingFiles
  private let log: any LogSink
  /// The running recording of each automation, or its last one.
  private let reports = Monitor<[String: Report]>([:])

  package init(
    automations: Automations, files: any RecordingFiles, log: any LogSink, limits: Limits = .init()
  ) {
    self.automations = automations
    self.files = files
    self.log = log
    self.limits = limits
  }

  /// Begins a recording and returns at once. Throws `automation.not_found`, `recording.running` (409) and
  /// `recording.invalid` (422).
  package func start(_ id: String, _ options: RecordingOptions) throws(Problem) -> Report {
    guard let live = automations.live(id)?.generation else {
      throw Problem(404, "automation.not_found", "No automation '\(id)' is loaded.")
    }
    let secret = options.headers.first { RecordingOptions.secretHeaders.contains($0) }
    guard (1...limits.seconds).contains(options.seconds), (1...limits.exchanges).contains(options.max),
      secret == nil
    else {
      throw Problem(
        422, "recording.invalid",
        secret.map { "The header '\($0)' is never recorded." }
          ?? "A recording takes 1 to \(limits.seconds) seconds and 1 to \(limits.exchanges) exchanges.")
    }
    // Claimed before a file is made: one that is refused deletes no older one, and the file of the last is complete.
    let before = try reports.withLock { reports throws(Problem) -> Report? in
      guard reports[id]?.isRunning != true else { throw RecordTraffic.isRunning(id) }
      defer { reports[id] = Report(isRunning: true, automation: id, name: "", path: "") }
      return reports[id]
    }
    do throws(Problem) { return try begin(id, live, options) } catch {
      reports.withLock { $0[id] = before }
      throw error
    }
  }

  private static func isRunning(_ id: String) -> Problem {
    Problem(
      409, "recording.running", "A recording of '\(id)' runs already: wait for its end, or stop it.",
      retryAfterSeconds: 5)
  }

  private func begin(
    _ id: String, _ live: Generation, _ options: RecordingOptions
  ) throws(Problem) -> Report {
    var options = options
    options.redact += limits.redact
    let recording = Recording(id, options, limits)
    let now = Timestamp.now.text.filter { $0.isNumber || $0 == "T" }
    let file = try files.create("\(id)-\(now).jsonl")
    let name = String(file.path.split(separator: "/").last ?? "")
    guard automations.begin(recording) else {
      try file.close()
      throw Problem(409, "automation.changed", "'\(id)' was unloaded meanwhile.")
    }
    let report = Report(isRunning: true, automation: id, name: name, path: file.path)
    reports.withLock { $0[id] = report }
    let header: JSONValue = [
      "format": .string(RecordedCalls.format), "automation": .string(id),
      "generation": .integer(Int64(live.record.number)), "version": .string(live.record.version),
      "sha256": .string(live.record.sha256), "plugin": .string(live.record.file),
      "isolation": .string(live.record.isolation.text),
      "started": .string(Timestamp.now.text),
    ]
    let writer = RecordingWriter(file, recording, options.redact, limits.fileBytes)
    log.log(.info, "recording", "started", ["automation": .string(id), "file": .string(file.path)])
    OSThread("recording", stackBytes: 2 << 20) { self.run(recording, writer, header, report) }.leave()
    return report
  }

  /// Ends a recording before its time; returns when its file is complete.
  package func stop(_ id: String) throws(Problem) -> Report {
    guard let recording = automations.recording(of: id) else {
      throw Problem(409, "recording.not_running", "No recording of '\(id)' runs.")
    }
    automations.end(recording)
    recording.ending.signal { $0 = true }
    guard let report = recording.outcome.wait(until: .now + .seconds(30), { $0 }) else {
      throw Problem(503, "recording.busy", "The recording's file is not complete yet.", retryAfterSeconds: 5)
    }
    return report
  }

  package func report(of id: String) -> Report? {
    reports.withLock { reports in
      guard var report = reports[id] else { return nil }
      if report.isRunning, let recording = automations.recording(of: id) {
        (report.dropped, report.skipped) = (recording.dropped, recording.skipped)
        report.recorded = recording.taken
      }
      return report
    }
  }

  // MARK: Writing

  private func run(_ recording: Recording, _ writer: RecordingWriter, _ header: JSONValue, _ report: Report) {
    var report = report
    do throws(Problem) {
      try writer.write(header)
      while !recording.isOver, automations.recording(of: recording.automation) === recording {
        guard try writer.write(recording.drain()) else {
          report.fault = "the file is full"
          break
        }
        _ = recording.ending.wait(until: .now + limits.look) { $0 ? true : nil }
      }
      automations.end(recording)
      _ = try writer.write(recording.drain())
      try writer.close()
    } catch {
      automations.end(recording)
      report.fault = error.detail
      log.log(.error, "recording", "failed: \(error.detail)", ["automation": .string(recording.automation)])
    }
    report.isRunning = false
    (report.recorded, report.bytes) = (writer.written, writer.bytes)
    (report.dropped, report.skipped) = (recording.dropped, recording.skipped)
    let ended = report
    reports.withLock { $0[recording.automation] = ended }
    recording.outcome.signal(all: true) { $0 = ended }
    log.log(
      .info, "recording", "ended",
      [
        "automation": .string(ended.automation), "file": .string(ended.path),
        "recorded": .integer(Int64(ended.recorded)), "dropped": .integer(Int64(ended.dropped)),
      ])
  }
}

/// Turns what was taken into lines without secrets. One thread.
///
/// `@unchecked`: made by one thread, handed to the one that writes, and touched by nobody else.
private final class RecordingWriter: @unchecked Sendable {
  private let file: any RecordingFile
  private let recording: Recording
  private let names: [String]
  private let maxBytes: Int
  private(set) var written = 0
  private(set) var bytes = 0
  /// By the serial of the generation: a reload may bring other schemas.
  private var redactions: [Int: Redaction] = [:]

  init(_ file: any RecordingFile, _ recording: Recording, _ names: [String], _ maxBytes: Int) {
    self.file = file
    self.recording = recording
    self.names = names
    self.maxBytes = maxBytes
  }

  func write(_ document: JSONValue) throws(Problem) {
    let line = JSON.encode(document) + [UInt8(ascii: "\n")]
    bytes += line.count
    try file.write(line)
  }

  /// False: the file is full.
  func write(_ all: [Recording.Taken]) throws(Problem) -> Bool {
    for taken in all {
      guard let document = document(of: taken) else {
        recording.skip()
        continue
      }
      let line = JSON.encode(document) + [UInt8(ascii: "\n")]
      guard bytes + line.count <= maxBytes else { return false }
      bytes += line.count
      try file.write(line)
      written += 1
    }
    return true
  }

  func close() throws(Problem) { try file.close() }

  /// nil for a request whose body cannot be read, and so not be redacted.
  private func document(of taken: Recording.Taken) -> JSONValue? {
    var redaction = redaction(of: taken.route.generation)
    // Parsed first: what is hidden in one place is hidden in all.
    let body = taken.body.isEmpty ? nil : try? JSONValue.parse(taken.body.span)
    let answer = taken.answerBody.isEmpty ? nil : try? JSONValue.parse(taken.answerBody.span)
    guard taken.body.isEmpty || body != nil else { return nil }
    collect(taken, [body, answer], into: &redaction)
    return document(of: taken, body, answer, redaction)
  }

  /// The values of this exchange that are hidden under their names.
  private func collect(_ taken: Recording.Taken, _ documents: [JSONValue?], into redaction: inout Redaction) {
    redaction.add(value: String(decoding: taken.confirmation, as: UTF8.self))
    for field in taken.query {
      let (name, value) = (
        String(decoding: field.name, as: UTF8.self), String(decoding: field.value, as: UTF8.self)
      )
      if redaction.hides(name) || Redaction.confirms(name, value) { redaction.add(value: value) }
    }
    for (_, _, value) in hiddenSegments(of: taken, redaction) { redaction.add(value: value) }
    for document in documents { if let document { redaction.add(valuesOf: document) } }
  }

  private func document(
    of taken: Recording.Taken, _ body: JSONValue?, _ answer: JSONValue?, _ redaction: Redaction
  ) -> JSONValue {
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    func headers(_ fields: [(name: [UInt8], value: [UInt8])], _ wanted: [String]?) -> JSONValue {
      var kept: [String: JSONValue] = [:]
      for (name, value) in fields.map({ (text($0.name).lowercased(), text($0.value)) })
      where wanted?.contains(name) ?? true { kept[name] = .string(redaction.text(value)) }
      return .object(kept)
    }
    var document: [String: JSONValue] = [
      "at_ms": .integer(taken.offset.nanoseconds / 1_000_000), "method": .string(taken.method.rawValue),
      "path": .string(path(of: taken, redaction)), "status": .integer(Int64(taken.status)),
      "headers": headers(taken.headers, nil),
      "query": .array(
        taken.query.map { field in
          let name = text(field.name)
          let value = redaction.hides(name) ? Redaction.mark : redaction.text(text(field.value))
          return .array([.string(redaction.text(name)), .string(value)])
        }),
      "answer_headers": headers(taken.answerHeaders, RecordingOptions.answerHeaders),
    ]
    if let body { document["body"] = redaction.apply(body) }
    if let answer {
      document["answer"] = redaction.apply(answer)
    } else if !taken.answerBody.isEmpty {
      document["answer_omitted"] = true
    }
    return .object(document)
  }

  /// As it came, but for the segments of parameters that are not kept.
  private func path(of taken: Recording.Taken, _ redaction: Redaction) -> String {
    var segments = segments(of: taken)
    for (place, _, _) in hiddenSegments(of: taken, redaction) { segments[place] = Redaction.mark }
    return segments.map(redaction.text).joined(separator: "/")
  }

  private func segments(of taken: Recording.Taken) -> [String] {
    String(decoding: taken.path, as: UTF8.self).split(separator: "/", omittingEmptySubsequences: false)
      .map(String.init)
  }

  /// Places in the path of parameters that are not kept.
  private func hiddenSegments(
    of taken: Recording.Taken, _ redaction: Redaction
  ) -> [(place: Int, name: String, value: String)] {
    let segments = segments(of: taken)
    // The first is empty, then come the automation, or its version and it.
    let first = 1 + taken.route.rootSegments
    return taken.route.pattern.segments.enumerated().compactMap { index, segment in
      let place = first + index
      guard place < segments.count, case .parameter(let name) = segment, redaction.hides(name) else {
        return nil
      }
      return (place, name, segments[place])
    }
  }

  private func redaction(of generation: Generation) -> Redaction {
    if let known = redactions[generation.serial] { return known }
    let made = Redaction(generation.manifest, names)
    redactions[generation.serial] = made
    return made
  }
}

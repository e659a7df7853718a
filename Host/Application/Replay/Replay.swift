import Domain
package import Kernel

/// Runs recorded calls against two hosts, in their order, and compares the answers.
package struct Replay: Sendable {
  package struct Options: Sendable {
    /// Also calls that change something; the hosts have copies of the records.
    package var writes = false
    /// Places in bodies that differ from run to run.
    package var ignoring: [JSONPointer] = []
    /// Differences that are told; further ones are counted.
    package var told = 200

    package init() {}
  }

  /// One thing in which two answers differ.
  package struct Difference: Sendable {
    package var line: Int
    package var call: String
    /// `status`, `header etag`, `body`, `answer`.
    package var what: String
    package var pointer: String?
    package var old: JSONValue?
    package var new: JSONValue?

    package var json: JSONValue {
      var document: [String: JSONValue] = [
        "line": .integer(Int64(line)), "call": .string(call), "what": .string(what),
        "old": old ?? .null, "new": new ?? .null,
      ]
      if let pointer { document["pointer"] = .string(pointer) }
      return .object(document)
    }
  }

  package struct Report: Sendable {
    package var calls = 0
    package var compared = 0
    package var skippedWrites = 0
    /// Calls whose path was redacted: they cannot be sent.
    package var skippedRedacted = 0
    /// Calls that were answered differently.
    package var different = 0
    package var differences: [Difference] = []
    /// A replay that compared nothing shows nothing.
    package var isClean: Bool { different == 0 && compared > 0 }

    package var json: JSONValue {
      [
        "clean": .bool(isClean), "calls": .integer(Int64(calls)), "compared": .integer(Int64(compared)),
        "skipped_writes": .integer(Int64(skippedWrites)),
        "skipped_redacted": .integer(Int64(skippedRedacted)), "different": .integer(Int64(different)),
        "differences": .array(differences.map(\.json)),
      ]
    }
  }

  private let options: Options

  package init(_ options: Options) { self.options = options }

  package func run(_ recording: RecordedCalls, old: any PrivateHost, new: any PrivateHost) -> Report {
    var report = Report()
    report.calls = recording.calls.count
    for call in recording.calls {
      guard call.isReadOnly || options.writes else {
        report.skippedWrites += 1
        continue
      }
      guard !call.target.contains(Redaction.mark) else {
        report.skippedRedacted += 1
        continue
      }
      let (before, after) = (answer(call, old), answer(call, new))
      report.compared += 1
      let found = compare(call, before, after)
      if !found.isEmpty {
        report.different += 1
        report.differences += found.prefix(max(0, options.told - report.differences.count))
      }
      // A host that died answers nothing more: what follows would say the same.
      if case .failure = before { break }
      if case .failure = after { break }
    }
    return report
  }

  private func answer(
    _ call: RecordedCalls.Call, _ host: any PrivateHost
  ) -> Result<IncomingAnswer, Problem> {
    let body = call.body.map { JSON.encode($0) }
    do throws(Problem) {
      let answer = try host.send(call.method.rawValue, call.target, headers: call.headers, body: body)
      // What was recorded was confirmed; its token is not kept, and would be of no use to another host.
      guard let token = answer.askedConfirmation else { return .success(answer) }
      return .success(
        try host.send(
          call.method.rawValue, call.target, headers: call.headers + [("X-Confirm", token)], body: body))
    } catch { return .failure(error) }
  }

  private func compare(
    _ call: RecordedCalls.Call, _ old: Result<IncomingAnswer, Problem>, _ new: Result<IncomingAnswer, Problem>
  ) -> [Difference] {
    let name = "\(call.method.rawValue) \(call.target)"
    func difference(
      _ what: String, at pointer: String? = nil, _ old: JSONValue?, _ new: JSONValue?
    ) -> Difference {
      Difference(line: call.line, call: name, what: what, pointer: pointer, old: old, new: new)
    }
    guard case .success(let before) = old, case .success(let after) = new else {
      func text(_ answer: Result<IncomingAnswer, Problem>) -> JSONValue {
        switch answer {
        case .success(let answer): .string("status \(answer.status)")
        case .failure(let problem): .string(problem.detail)
        }
      }
      return [difference("answer", text(old), text(new))]
    }
    var found: [Difference] = []
    if before.status != after.status {
      found.append(
        difference("status", .integer(Int64(before.status)), .integer(Int64(after.status))))
    }
    for header in RecordingOptions.answerHeaders where before[header] != after[header] {
      found.append(
        difference(
          "header \(header)", before[header].map(JSONValue.string), after[header].map(JSONValue.string)))
    }
    guard before.body != after.body else { return found }
    guard let first = try? JSONValue.parse(before.body.span),
      let second = try? JSONValue.parse(after.body.span)
    else {
      return found + [
        difference("body", .string("\(before.body.count) bytes"), .string("\(after.body.count) bytes"))
      ]
    }
    for one in JSONDifference.between(first, second, ignoring: options.ignoring) {
      found.append(difference("body", at: one.pointer, one.old, one.new))
    }
    return found
  }
}

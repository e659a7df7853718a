import Application
import Kernel

/// What the host tells a runner to do, one at a time.
enum RunnerCommand: UInt64, Sendable {
  /// Locks itself in and maps the plugin; answers with the manifest.
  case load = 1
  case create, activate, quiesce, stop, destroy
}

/// The payloads of commands, and what came of them.
enum RunnerWire {
  /// How a runner locks itself in.
  struct Limits: Sendable, Equatable {
    var memoryBytes: Int
    var openFiles: Int
    var workers: Int
    var needsLandlock: Bool
    var patienceMilliseconds: Int64
  }

  static func load(_ path: String, _ limits: Limits) -> [UInt8] {
    let facts: JSONValue = [
      "memory_bytes": .integer(Int64(limits.memoryBytes)), "open_files": .integer(Int64(limits.openFiles)),
      "workers": .integer(Int64(limits.workers)), "needs_landlock": .bool(limits.needsLandlock),
      "patience_ms": .integer(limits.patienceMilliseconds),
    ]
    return ProbeWire.Parts.encode([Array(path.utf8), json(facts)])
  }

  static func loadOrder(_ bytes: [UInt8]) -> (path: String, limits: Limits)? {
    guard let parts = ProbeWire.Parts.decode(bytes, count: 2), let facts = document(parts[1]),
      let memory = facts["memory_bytes"]?.integer, let files = facts["open_files"]?.integer,
      let workers = facts["workers"]?.integer, let landlock = facts["needs_landlock"]?.bool,
      let patience = facts["patience_ms"]?.integer
    else { return nil }
    return (
      String(decoding: parts[0], as: UTF8.self),
      Limits(
        memoryBytes: Int(memory), openFiles: Int(files), workers: Int(workers), needsLandlock: landlock,
        patienceMilliseconds: patience)
    )
  }

  static func create(_ automation: String, _ generation: Int, _ config: [UInt8]) -> [UInt8] {
    ProbeWire.Parts.encode([Array(automation.utf8), Array(String(generation).utf8), config])
  }

  static func createOrder(_ bytes: [UInt8]) -> (automation: String, generation: Int, config: [UInt8])? {
    guard let parts = ProbeWire.Parts.decode(bytes, count: 3),
      let generation = Int(String(decoding: parts[1], as: UTF8.self))
    else { return nil }
    return (String(decoding: parts[0], as: UTF8.self), generation, parts[2])
  }

  // MARK: Problems

  static func encode(_ problem: Problem) -> [UInt8] {
    json([
      "status": .integer(Int64(problem.status)), "code": .string(problem.code),
      "detail": .string(problem.detail), "members": .object(problem.members),
      "retry_after": problem.retryAfterSeconds.map { .integer(Int64($0)) } ?? .null,
    ])
  }

  /// nil for what is no problem: the other side need not have meant well.
  static func problem(_ bytes: [UInt8]) -> Problem? {
    guard let facts = document(bytes), let status = facts["status"]?.integer, (400...599).contains(status),
      let code = facts["code"]?.string, AnswerRules.isCode(code.utf8.span),
      let detail = facts["detail"]?.string, let members = facts["members"]?.object
    else { return nil }
    let retry = facts["retry_after"]?.integer.map { Int(min(max($0, 0), 86_400)) }
    return Problem(Int(status), code, detail, members: members, retryAfterSeconds: retry)
  }

  static func json(_ value: JSONValue) -> [UInt8] {
    let text = Arena()
    text.append(json: value)
    return Array(text.span(text.all))
  }

  static func document(_ bytes: [UInt8]) -> JSONValue? {
    do { return try JSONValue.parse(bytes.span) } catch { return nil }
  }
}

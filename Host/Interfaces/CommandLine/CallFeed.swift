import Application
import Kernel

/// The calls of one automation, asked for again and again: each answer waits for the next call.
struct CallFeed {
  private static let waitMilliseconds = 2000
  private static let pauses: [Int32: Duration] = [429: .seconds(2), 503: .seconds(1)]

  let client: AdminClient
  let id: String
  private var place: String?

  init(_ client: AdminClient, _ id: String) {
    self.client = client
    self.id = id
  }

  /// The calls since the last time; the first time none.
  mutating func next() throws -> [JSONValue] {
    var query = [("wait_ms", String(CallFeed.waitMilliseconds))]
    if let place { query.append(("after", place)) } else { query = [] }
    let answer = try client.call(.followCalls, [id], query: query)
    guard let next = answer["next"]?.integer else {
      throw CommandFailure.foreign("the host answered without the place where its trail ends")
    }
    place = String(next)
    return answer.items
  }

  /// How long to leave the host alone after a refusal; nil for one that stays.
  static func pause(after error: any Error) -> Duration? {
    switch error {
    case let problem as Problem: pauses[Int32(problem.status)]
    case CommandFailure.unreachable: .seconds(1)
    default: nil
    }
  }

  /// `GET /accounts/ 200 0.4 ms list_accounts agent`, and `dry-run`, `replayed` or `job <id>` where it was one, the last with how
  /// the job ended where it has.
  static func line(_ call: JSONValue, _ style: Style) -> String {
    let status = call["status"]?.integer ?? 0
    let tone: Style.Tone = status >= 500 ? .bad : status >= 400 ? .warn : .good
    let micros = call["duration_us"]?.integer ?? 0
    func text(_ name: String) -> String { Table.printable(call[name]?.string ?? "-") }
    var marks = ""
    if call["dry_run"]?.bool == true { marks += " dry-run" }
    if call["replayed"]?.bool == true { marks += " replayed" }
    if call["job"] != nil { marks += " job \(text("job"))" }
    if call["job_end"] != nil { marks += " \(text("job_end"))" }
    return
      "\(text("method")) \(text("path")) \(style.paint(String(status), tone)) "
      + "\(micros / 1000).\(micros % 1000 / 100) ms \(text("operation")) \(text("principal"))\(marks)"
  }

  static func follow(_ invocation: Invocation) throws {
    var feed = CallFeed(try AdminClient(invocation), invocation.arguments[0])
    let deadline = try invocation.duration("--for").map { Instant.now + .seconds($0) }
    repeat {
      for call in try feed.next() {
        invocation.print(invocation.wantsJSON ? JSON.text(call) : line(call, invocation.style))
      }
      if invocation.services.terminal.hasLostOutput { return }
    } while deadline.map { Instant.now < $0 } ?? true
  }
}

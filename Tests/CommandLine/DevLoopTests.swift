import CommandLineInterface
import Kernel
import Testing

/// `council plugin dev` between two saved files.
@Suite struct DevLoopTests {
  @Test func whoTalksWithoutAPauseDoesNotPutOffABuild() {
    let events = ChattyEvents()
    let console = Console(files: MemoryLocalFiles())
    console.files.put("/here/Makefile", "")
    console.author.workshop = ChattyWorkshop(events: events)
    console.run("plugin", "dev", "/here", "--host", "http://127.0.0.1:1")
    #expect(events.starts == 2, "\(console.terminal.errors)")
    #expect(events.lines < ChattyEvents.most, "the build began when nobody said anything any more")
  }

  /// A compiler that compares whole seconds would take the second save for the first.
  @Test func whatIsSavedTwiceInASecondIsBuiltTwice() {
    let source = "/here/Sources/Orders/Orders.swift"
    for (file, seconds) in [("Package.swift", [1000, 1001, 1002]), ("Makefile", [])] as [(String, [Int64])] {
      let console = Console(files: MemoryLocalFiles())
      console.files.put("/here/" + file, #".library(name: "Orders", type: .dynamic, targets: ["Orders"])"#)
      console.files.put(source, "")
      let events = SavingEvents(console.files, source)
      console.author.workshop = ChattyWorkshop(events: events)
      console.run("plugin", "dev", "/here", "--host", "http://127.0.0.1:1")
      #expect(
        events.seen == [nil] + (seconds.isEmpty ? [nil, nil, nil] : seconds), "\(file): \(events.seen)")
    }
  }
}

private struct ChattyWorkshop: Workshop {
  let events: any WorkshopEvents & Sendable
  func open() throws(FileFailure) -> any WorkshopEvents { events }
  func makeTemporaryFolder() throws(FileFailure) -> String { "/tmp/none" }
  func removeFolder(_ path: String) {}
  var councilProgram: String { "/none" }
}

/// A build that fails, a save, and then a program that writes line after line.
private final class ChattyEvents: WorkshopEvents, @unchecked Sendable {
  // One thread, that of the command, uses this.
  static let most = 1000
  private(set) var starts = 0
  private(set) var lines = 0
  private var script: [WorkshopEvent] = [.ended(program: 1, 2), .changed("/here/plugin.c")]

  func watch(_ folder: String, ignoring: Set<String>) {}
  func terminate(_ program: Int) {}
  func close() {}
  func start(_ program: String, _ arguments: [String], in folder: String?) -> Int {
    starts += 1
    return starts
  }
  func next(within timeout: Duration) -> WorkshopEvent {
    if !script.isEmpty { return script.removeFirst() }
    if starts == 2 { return .signal }
    guard lines < ChattyEvents.most else { return .timedOut }
    lines += 1
    _ = Monitor(()).wait(until: .now + .milliseconds(2)) { _ in nil as Bool? }
    return .line(program: 77, "again")
  }
}

/// Builds that fail, each followed by a save of the same file; the last save comes while a build runs.
private final class SavingEvents: WorkshopEvents, @unchecked Sendable {
  // One thread, that of the command, uses this.
  private let files: MemoryLocalFiles
  private let source: String
  private var starts = 0
  /// When the source was written, as each build saw it.
  private(set) var seen: [Int64?] = []
  private var script: [WorkshopEvent]

  init(_ files: MemoryLocalFiles, _ source: String) {
    self.files = files
    self.source = source
    script = [
      .ended(program: 1, 2), .changed(source), .timedOut, .ended(program: 2, 2), .changed(source), .timedOut,
      .changed(source), .ended(program: 3, 2), .signal,
    ]
  }

  func watch(_ folder: String, ignoring: Set<String>) {}
  func terminate(_ program: Int) {}
  func close() {}
  func start(_ program: String, _ arguments: [String], in folder: String?) -> Int {
    seen.append(files.second(source))
    starts += 1
    return starts
  }
  func next(within timeout: Duration) -> WorkshopEvent {
    guard script.first == .timedOut else { return script.isEmpty ? .signal : script.removeFirst() }
    script.removeFirst()
    // Nothing more belongs to that save.
    _ = Monitor(()).wait(until: .now + timeout) { _ in nil as Bool? }
    return .timedOut
  }
}

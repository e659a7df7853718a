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
}

private struct ChattyWorkshop: Workshop {
  let events: ChattyEvents
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

import Application
import Kernel
import PluginFiles
import Scratch
import Testing

@Suite struct RecordingFolderTests {
  private let scratch = ScratchFolder("recordings")

  @Test func filesAreWrittenFoundAndBounded() throws {
    let folder = try RecordingFolder(home: scratch.path, kept: 2)
    for second in 1...4 {
      // Of two automations, so that the order of names alone is not that of time.
      let name = "\(second % 2 == 0 ? "a" : "b-c")-20260101T00000\(second)000.jsonl"
      let file = try folder.create(name)
      try file.write(Array("{}\n".utf8))
      try file.close()
      #expect(try folder.path(of: name) == file.path)
    }
    #expect(throws: Problem.self) { try folder.path(of: "a-20260101T000002000.jsonl") }
    #expect(try folder.path(of: "b-c-20260101T000003000.jsonl").hasSuffix("000.jsonl"))
    #expect(throws: Problem.self) { try folder.create("a-20260101T000004000.jsonl") }
  }

  @Test(arguments: ["../keys/admin.key", "/etc/passwd", "none.jsonl", ".jsonl", "a/b.jsonl", "", "a.so"])
  func aNameIsNoPath(name: String) throws {
    let folder = try RecordingFolder(home: scratch.path)
    let problem = try #require(throws: Problem.self) { try folder.path(of: name) }
    #expect(problem.code == "recording.not_found" && problem.status == 404)
  }
}

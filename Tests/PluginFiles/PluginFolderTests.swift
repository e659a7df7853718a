import Application
import Kernel
import PluginFiles
import Scratch
import Testing

@Suite struct PluginFolderTests {
  private let scratch = ScratchFolder("files")
  private var home: String { scratch.path }

  @Test func copiesARegularFileUnderANewName() throws {
    let folder = try PluginFolder(home: home)
    let first = try folder.receive(copyOf: "/usr/bin/true")
    let second = try folder.receive(copyOf: "/usr/bin/true")
    #expect(first != second)
    let file = try folder.adopt(first, automation: "a", number: 1, sha256: "ab")
    #expect(file == "generations/a/1-ab.so")
    #expect(try folder.receive(copyOf: folder.absolute(file)) != second)
    folder.removeIncoming()
    #expect(throws: Problem.self) { try folder.receive(copyOf: second) }
  }

  @Test func generationsThatNobodyKnowsAreDeleted() throws {
    let folder = try PluginFolder(home: home)
    let files = try [("a", 1), ("a", 2), ("b", 1)].map { automation, number in
      try folder.adopt(
        try folder.receive(copyOf: "/usr/bin/true"), automation: automation, number: number, sha256: "ab")
    }
    folder.removeGenerations(except: [files[0], files[2]])
    for (file, stays) in zip(files, [true, false, true]) {
      let isThere = (try? folder.receive(copyOf: folder.absolute(file))) != nil
      #expect(isThere == stays, "\(file)")
    }
  }

  @Test(arguments: [
    ("/dev/null", "plugin.file.not_regular"), ("/tmp", "plugin.file.not_regular"),
    ("/proc/self/exe", "plugin.file.not_regular"), ("/no/such/file.so", "plugin.file.not_found"),
    ("relative.so", "plugin.file.path_invalid"),
    ("/usr/bin/../bin/true", "plugin.file.path_invalid"), ("", "plugin.file.path_invalid"),
  ])
  func refusesWhatIsNoFile(path: String, code: String) throws {
    let folder = try PluginFolder(home: home)
    #expect { try folder.receive(copyOf: path) } throws: { ($0 as? Problem)?.code == code }
  }

  @Test func takesTheLargestFileAndRefusesOneByteMore() throws {
    let folder = try PluginFolder(home: home, maxBytes: 8)
    let fits = try folder.upload()
    try fits.write([UInt8](repeating: 1, count: 8).span)
    _ = try fits.finish()
    let over = try folder.upload()
    #expect { try over.write([UInt8](repeating: 1, count: 9).span) } throws: {
      ($0 as? Problem)?.code == "plugin.file.too_large"
    }
    over.abandon()
  }

  @Test func refusesAnEmptyUpload() throws {
    let upload = try PluginFolder(home: home).upload()
    #expect { try upload.finish() } throws: { ($0 as? Problem)?.code == "plugin.file.empty" }
  }
}

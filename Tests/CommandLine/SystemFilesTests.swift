import CommandLineInterface
import FoundationEssentials
import Kernel
import Scratch
import Testing

struct SystemFilesTests {
  private let files = SystemFiles()
  private let folder = "\(Scratch.root)/council-cli-\(UUIDv7.make())"

  private func inFolder(_ body: () throws -> Void) throws {
    try files.makeFolder(folder + "/a/b")
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body()
  }

  @Test func aFileIsMadeOnceWithItsModeAndReadBack() throws {
    try inFolder {
      let path = folder + "/a/key"
      let output = try files.create(path, mode: 0o600)
      try output.write(Array("abc".utf8))
      try output.write(Array("def".utf8))
      try output.close()
      #expect(files.mode(path) == 0o600 && files.kind(path) == .file)
      #expect(try files.read(path, maxBytes: 6) == Array("abcdef".utf8))
      #expect(throws: FileFailure.self) { try files.read(path, maxBytes: 5) }
      #expect(throws: FileFailure.self) { try files.create(path, mode: 0o600) }
      #expect(try files.names(in: folder + "/a") == ["b", "key"])
    }
  }

  @Test func whatIsNoRegularFileIsNotRead() throws {
    try inFolder {
      for path in [folder, "/dev/zero", folder + "/missing"] {
        #expect(throws: FileFailure.self) { try files.read(path, maxBytes: 10) }
      }
      #expect(
        files.kind(folder) == .folder && files.kind("/dev/null") == .other
          && files.kind(folder + "/x") == .missing)
      #expect(files.mode(folder + "/x") == nil)
    }
  }

  @Test func aFolderCannotBeMadeWhereAFileIs() throws {
    try inFolder {
      try files.create(folder + "/f", mode: 0o644).close()
      #expect(throws: FileFailure.self) { try files.makeFolder(folder + "/f/g") }
    }
  }

  @Test(arguments: [("/a/./b/../c", "/a/c"), ("/..", "/"), ("/", "/"), ("//a//b/", "/a/b")])
  func aPathIsMadeAbsoluteAndPlain(path: String, absolute: String) {
    #expect(files.absolute(path) == absolute)
  }

  @Test func aRelativePathStartsInTheCurrentFolder() {
    #expect(files.absolute("x") == FileManager.default.currentDirectoryPath + "/x")
  }

  @Test func thisProgramKnowsWhereItIs() throws {
    let path = try #require(files.executable)
    #expect(files.kind(path) == .file)
  }
}

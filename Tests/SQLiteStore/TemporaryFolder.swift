import FoundationEssentials
import Kernel

/// A folder of one test, gone with it.
final class TemporaryFolder: Sendable {
  let path: String

  init() {
    path =
      FileManager.default.temporaryDirectory.path + "/council-records-" + Hex.encode(randomBytes(8))
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(filePath: path + "/" + name))
  }

  func read(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path + "/" + name)))
  }

  func size(of name: String) -> Int { fileFacts(path + "/" + name)?.size ?? 0 }

  func mode(of name: String) -> Int? { fileFacts(path + "/" + name)?.mode }

  func exists(_ name: String) -> Bool { fileFacts(path + "/" + name) != nil }
}

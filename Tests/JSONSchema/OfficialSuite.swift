import FoundationEssentials
import Kernel

/// The official JSON Schema test suite, in the folder that COUNCIL_JSON_SCHEMA_SUITE names.
struct OfficialSuite {
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  static let howToGet =
    "COUNCIL_JSON_SCHEMA_SUITE names no folder with tests/draft2020-12; run Scripts/fetch-json-schema-suite FOLDER "
    + "and set it to that folder"

  let folder: String

  init() throws {
    guard let folder = ProcessInfo.processInfo.environment["COUNCIL_JSON_SCHEMA_SUITE"],
      FileManager.default.fileExists(atPath: folder + "/tests/draft2020-12")
    else { throw Failure(description: OfficialSuite.howToGet) }
    self.folder = folder
  }

  /// The names of the test files in a part of the draft: `""`, `"optional/"`, `"optional/format/"`.
  func files(in part: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(folder)/tests/draft2020-12/\(part)")
      .filter { $0.hasSuffix(".json") }.map { part + $0 }.sorted()
  }

  func read(_ file: String) throws -> JSONDocument {
    try OfficialSuite.parse("\(folder)/tests/draft2020-12/\(file)")
  }

  /// The documents that the suite's schemas refer to, by the address that the suite gives them.
  func remotes() throws -> [String: JSONValue] {
    let root = "\(folder)/remotes"
    var all: [String: JSONValue] = [:]
    for file in try FileManager.default.subpathsOfDirectory(atPath: root) where file.hasSuffix(".json") {
      let document = try OfficialSuite.parse("\(root)/\(file)")
      all["http://localhost:1234/\(file)"] = JSONValue(document.root)
    }
    return all
  }

  private static func parse(_ path: String) throws -> JSONDocument {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(description: "cannot read \(path)")
    }
    let bytes = [UInt8](data)
    let document = JSONDocument()
    try document.parse(bytes.span)
    return document
  }
}

/// How a file's tests went.
struct SuiteTally {
  var passed = 0
  var failed: [String] = []
  var total: Int { passed + failed.count }
}

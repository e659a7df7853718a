import Application

/// How a plugin's project is built, and where its library comes to be.
struct PluginProject {
  /// What is read of a folder to watch: what a build writes must not start another.
  private static let sources: Set<String> = [
    "swift", "c", "h", "cc", "cpp", "cxx", "hpp", "m", "rs", "toml", "json", "yaml", "yml", "map",
    "modulemap", "zig",
    "go", "s", "S", "mk", "sql", "in",
  ]
  private static let sourceNames: Set<String> = ["Makefile", "makefile", "GNUmakefile", "CMakeLists.txt"]
  /// Where builds write.
  static let ignored: Set<String> = ["build", "target", "node_modules", "DerivedData"]

  let folder: String
  let program: String
  let arguments: [String]
  private let library: String?
  private let files: any LocalFiles

  init(_ invocation: Invocation) throws {
    let files = invocation.services.files
    let folder = files.absolute(invocation.argument(0) ?? ".")
    (self.files, self.folder) = (files, folder)
    guard files.kind(folder) == .folder else { throw CommandFailure.local("no folder is at '\(folder)'") }
    let told = invocation.value("--library").map(files.absolute)
    if let command = invocation.value("--build") {
      guard let told else { throw invocation.usage("--build needs --library: where the plugin comes to be") }
      (program, arguments, library) = ("/bin/sh", ["-c", command], told)
    } else if files.kind(folder + "/Package.swift") == .file {
      let product = try invocation.value("--product") ?? PluginProject.product(of: folder, files)
      (program, arguments) = ("swift", ["build", "--product", product])
      library = told ?? "\(folder)/.build/debug/lib\(product).so"
    } else if let makefile = PluginProject.sourceNames.first(where: { files.kind("\(folder)/\($0)") == .file }
    ),
      makefile != "CMakeLists.txt"
    {
      (program, arguments, library) = ("make", [], told)
    } else {
      throw CommandFailure.local(
        "'\(folder)' has neither Package.swift nor Makefile: --build COMMAND and --library FILE say how it is built"
      )
    }
  }

  /// swiftc compares whole seconds: a file that was written twice in one is the old one to its second build.
  var comparesSeconds: Bool { program == "swift" }

  /// The second in which a source was last written, past the one in which the build before saw it.
  func advance(_ path: String, past second: Int64?) -> Int64? { files.advance(path, past: second) }

  var command: String { ([program] + arguments).joined(separator: " ") }

  static func isSource(_ path: String) -> Bool {
    let name = path.split(separator: "/").last.map(String.init) ?? ""
    if sourceNames.contains(name) { return true }
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return false }
    return sources.contains(String(name[name.index(after: dot)...]))
  }

  /// The library that the build made: as told, or the only one in the folder.
  func builtLibrary() throws -> String {
    if let library {
      guard files.kind(library) == .file else { throw CommandFailure.local("the build made no '\(library)'") }
      return library
    }
    let found = try files.names(in: folder).filter { $0.hasSuffix(".so") }
    guard found.count == 1 else {
      throw CommandFailure.local(
        "the build made \(found.count) files *.so in '\(folder)': --library FILE says which is the plugin")
    }
    return "\(folder)/\(found[0])"
  }

  /// The first dynamic library that a package declares.
  private static func product(of folder: String, _ files: any LocalFiles) throws -> String {
    let text = String(decoding: try files.read(folder + "/Package.swift", maxBytes: 1 << 20), as: UTF8.self)
    for piece in text.ranges(of: ".library(").map({ text[$0.upperBound...] }) {
      let arguments = piece.prefix { $0 != ")" }
      guard arguments.contains(".dynamic"), let name = arguments.firstRange(of: "name:") else { continue }
      let parts = arguments[name.upperBound...].split(
        separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
      if parts.count == 3, !parts[1].isEmpty { return String(parts[1]) }
    }
    throw CommandFailure.local("Package.swift declares no dynamic library: --product NAME says what to build")
  }
}

import Domain
import Kernel

/// A new plugin's project: a copy of `PluginAPI/Templates/<language>` with its names put in.
///
/// `__ID__` becomes the automation's id (`my-orders`), `__NAME__` the same as a type's name (`MyOrders`), and
/// `__COUNCIL_PATH__` the folder that holds PluginAPI; in the names of files too.
struct PluginTemplate {
  struct Project {
    var folder: String
    var files: [String]
    var councilPath: String
  }

  static let languages = ["swift", "c"]
  private static let maxFiles = 500
  private static let maxDepth = 16
  private static let maxFileBytes = 1 << 20

  private let files: any LocalFiles
  private let id: String
  private let folder: String
  private let councilPath: String
  private let source: String

  init(_ invocation: Invocation) throws {
    files = invocation.services.files
    id = invocation.arguments[0]
    guard Names.isAutomation(id), !Names.reservedRoots.contains(id) else {
      throw invocation.usage(
        Names.reservedRoots.contains(id)
          ? "'\(id)' is a path of the host itself"
          : "'\(id)' is no id: a-z, 0-9 and '-', starting with a letter, at most 63, and not 'v' with digits")
    }
    let language = invocation.value("--lang") ?? ""
    guard PluginTemplate.languages.contains(language) else {
      throw invocation.wrong("--lang", PluginTemplate.languages.joined(separator: " or "), language)
    }
    folder = files.absolute(invocation.value("--dir") ?? id)
    councilPath = try PluginTemplate.councilPath(invocation)
    source = "\(councilPath)/PluginAPI/Templates/\(language)"
    guard files.kind(source) == .folder else { throw CommandFailure.local("no folder is at '\(source)'") }
  }

  /// `my-orders` as a type's name: `MyOrders`.
  static func typeName(_ id: String) -> String {
    id.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  func make() throws -> Project {
    switch files.kind(folder) {
    case .missing: break
    case .folder where try files.names(in: folder).isEmpty: break
    default: throw CommandFailure.local("'\(folder)' exists and is not empty: nothing is overwritten")
    }
    var paths: [String] = []
    try collect("", 0, &paths)
    guard !paths.isEmpty else { throw CommandFailure.local("the template in '\(source)' is empty") }
    try files.makeFolder(folder)
    let made = try paths.map { path in
      let bytes = try files.read("\(source)/\(path)", maxBytes: PluginTemplate.maxFileBytes)
      let isProgram = (files.mode("\(source)/\(path)") ?? 0) & 0o111 != 0
      let target = substitute(path)
      if let slash = target.lastIndex(of: "/") { try files.makeFolder("\(folder)/\(target[..<slash])") }
      let output = try files.create("\(folder)/\(target)", mode: isProgram ? 0o755 : 0o644)
      try output.write(String(validating: bytes, as: UTF8.self).map { Array(substitute($0).utf8) } ?? bytes)
      try output.close()
      return target
    }
    return Project(folder: folder, files: made, councilPath: councilPath)
  }

  private func collect(_ prefix: String, _ depth: Int, _ paths: inout [String]) throws {
    guard depth < PluginTemplate.maxDepth else { throw CommandFailure.local("'\(source)' is too deep") }
    for name in try files.names(in: prefix.isEmpty ? source : "\(source)/\(prefix)") {
      let path = prefix.isEmpty ? name : "\(prefix)/\(name)"
      // What a build of the template left there is not part of it.
      if name == ".build" || name == "build" { continue }
      switch files.kind("\(source)/\(path)") {
      case .folder: try collect(path, depth + 1, &paths)
      case .file: paths.append(path)
      default: throw CommandFailure.local("'\(source)/\(path)' is neither file nor folder")
      }
      guard paths.count <= PluginTemplate.maxFiles else {
        throw CommandFailure.local("'\(source)' has too many files")
      }
    }
  }

  private func substitute(_ text: String) -> String {
    text.replacing("__ID__", with: id).replacing("__NAME__", with: PluginTemplate.typeName(id))
      .replacing("__COUNCIL_PATH__", with: councilPath)
  }

  /// The folder with `PluginAPI/Templates`: as told, or the nearest above this program.
  private static func councilPath(_ invocation: Invocation) throws -> String {
    let files = invocation.services.files
    let told = invocation.value("--council-path") ?? invocation.services.environment["COUNCIL_PATH"]
    if let told, !told.isEmpty {
      let path = files.absolute(told)
      guard files.kind(path + "/PluginAPI/Templates") == .folder else {
        throw CommandFailure.local("'\(path)' has no folder PluginAPI/Templates")
      }
      return path
    }
    var path = files.executable?.split(separator: "/").dropLast() ?? []
    while !path.isEmpty {
      let folder = "/" + path.joined(separator: "/")
      if files.kind(folder + "/PluginAPI/Templates") == .folder { return folder }
      path.removeLast()
    }
    throw CommandFailure.local(
      "the templates are not near this program: --council-path DIR says where Council is")
  }
}

package import Application
package import Kernel

/// The configuration file: YAML in two levels, `section: {name: value}`. Strict: an unknown name is an error, for a
/// limit that is spelled wrong is no limit.
package enum ConfigurationFile {
  package static let maxBytes = 1 << 20

  /// Reads a file. Throws `config.unreadable` or `config.invalid` (422), which lists every fault with its line.
  package static func read(_ path: String) throws(Problem) -> HostConfiguration {
    try parse(try text(path), name: path)
  }

  /// The file as it is. Throws `config.unreadable` (422).
  package static func text(_ path: String) throws(Problem) -> [UInt8] {
    guard let bytes = WholeFile.read(path, maxBytes: maxBytes) else {
      throw Problem(
        422, "config.unreadable",
        "\(path) cannot be read, is no regular file, or has more than \(maxBytes) bytes.")
    }
    return bytes
  }

  package static func parse(_ bytes: [UInt8], name: String) throws(Problem) -> HostConfiguration {
    var configuration = HostConfiguration()
    var faults: [(line: Int, reason: String)] = []
    do throws(YAMLFault) {
      apply(try YAMLReader.read(bytes), to: &configuration, &faults)
    } catch {
      faults.append((error.line, error.reason))
    }
    if faults.isEmpty { faults += Setting.conflicts(in: configuration).map { (0, $0) } }
    guard let first = faults.first else { return configuration }
    let place = first.line > 0 ? "\(name):\(first.line): " : "\(name): "
    throw Problem(
      422, "config.invalid", place + first.reason + ".",
      members: [
        "errors": .array(
          faults.map { ["line": .integer(Int64($0.line)), "reason": .string($0.reason)] })
      ])
  }

  private static func apply(
    _ root: YAMLNode, to configuration: inout HostConfiguration, _ faults: inout [(line: Int, reason: String)]
  ) {
    if case .scalar(.null) = root.content { return }
    guard case .mapping(let sections) = root.content else {
      faults.append((root.line, "the file must be a mapping of sections"))
      return
    }
    let known = Set(Setting.all.map(\.section))
    for (section, line, content) in sections {
      guard known.contains(section) else {
        faults.append((line, unknown(section, among: known.sorted())))
        continue
      }
      if case .scalar(.null) = content.content { continue }
      guard case .mapping(let members) = content.content else {
        faults.append((content.line, "'\(section)' must be a mapping"))
        continue
      }
      for (name, line, value) in members {
        guard let setting = Setting.all.first(where: { $0.section == section && $0.name == name }) else {
          let names = Setting.all.filter { $0.section == section }.map(\.name)
          faults.append((line, unknown(name, among: names, in: section)))
          continue
        }
        guard let scalar = value.flat(takesList: setting.isList) else {
          let wanted = setting.isList ? "a list of texts" : "a single value"
          faults.append((value.line, "\(setting.path) must be \(wanted)"))
          continue
        }
        if let wrong = setting.apply(scalar, to: &configuration) {
          faults.append((value.line, "\(setting.path) \(wrong)"))
        }
      }
    }
  }

  private static func unknown(_ name: String, among names: [String], in section: String? = nil) -> String {
    let nearest = names.min { distance($0, name) < distance($1, name) }
    let hint = nearest.flatMap { distance($0, name) <= max(2, name.count / 3) ? "; is '\($0)' meant?" : nil }
    return "there is no setting '\(section.map { $0 + "." } ?? "")\(name)'" + (hint ?? "")
  }

  /// Edits between two names (Levenshtein), of which the second is cut at 64 characters.
  private static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.utf8), Array(b.utf8.prefix(64)))
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let next = min(row[j + 1] + 1, row[j] + 1, diagonal + (x == y ? 0 : 1))
        diagonal = row[j + 1]
        row[j + 1] = next
      }
    }
    return row[b.count]
  }
}

extension YAMLNode {
  /// The value of a setting: a scalar, or a sequence of them where that is taken; nil for what nests.
  fileprivate func flat(takesList: Bool) -> JSONValue? {
    switch content {
    case .scalar(let scalar): return scalar
    case .sequence(let items) where takesList:
      let scalars = items.compactMap { item in
        if case .scalar(let scalar) = item.content { scalar } else { nil as JSONValue? }
      }
      return scalars.count == items.count ? .array(scalars) : nil
    default: return nil
    }
  }
}

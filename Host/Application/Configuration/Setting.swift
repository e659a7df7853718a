package import Domain
package import Kernel

/// One setting: its name in a file, `section.name`, what it means, and how it is read.
package struct Setting: Sendable {
  package enum Kind: Sendable {
    case number(ClosedRange<Int>, any WritableKeyPath<HostConfiguration, Int> & Sendable)
    case text(maxLength: Int, any WritableKeyPath<HostConfiguration, String> & Sendable)
    /// A sequence of texts.
    case list(maxItems: Int, maxLength: Int, any WritableKeyPath<HostConfiguration, [String]> & Sendable)
    case choice([String], any WritableKeyPath<HostConfiguration, String> & Sendable)
    case flag(any WritableKeyPath<HostConfiguration, Bool> & Sendable)
    case isolation(any WritableKeyPath<HostConfiguration, Isolation> & Sendable)
    case level(any WritableKeyPath<HostConfiguration, LogLevel> & Sendable)
  }

  package let section: String
  package let name: String
  package let kind: Kind
  package let meaning: String

  package var path: String { "\(section).\(name)" }
  package var isList: Bool { if case .list = kind { true } else { false } }

  /// What a value may be, as the file of defaults says it.
  package var bounds: String {
    switch kind {
    case .number(let range, _): "\(range.lowerBound) to \(range.upperBound)"
    case .text(let maxLength, _): "text, at most \(maxLength) bytes"
    case .list(let maxItems, _, _): "a list of at most \(maxItems) texts"
    case .choice(let options, _): options.joined(separator: ", ")
    case .flag: "true or false"
    case .isolation: Isolation.forms
    case .level: LogLevel.allCases.map(\.name).joined(separator: ", ")
    }
  }

  /// Puts a value of a file into the configuration; returns what is wrong with it, or nil.
  package func apply(_ value: JSONValue, to configuration: inout HostConfiguration) -> String? {
    switch (kind, value) {
    case (.number(let range, let place), .integer(let number)):
      guard range.contains(Int(number)) else {
        return "must be from \(range.lowerBound) to \(range.upperBound), not \(number)"
      }
      configuration[keyPath: place] = Int(number)
    case (.number(let range, _), _):
      return "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
    case (.text(let maxLength, let place), .string(let text)):
      guard text.utf8.count <= maxLength else { return "is longer than \(maxLength) bytes" }
      configuration[keyPath: place] = text
    case (.text, _): return "must be text"
    case (.list(let maxItems, let maxLength, let place), .array(let items)):
      let texts = items.compactMap(\.string)
      guard texts.count == items.count else { return "must be a list of texts" }
      guard texts.count <= maxItems else { return "has more than \(maxItems) texts" }
      guard texts.allSatisfy({ $0.utf8.count <= maxLength }) else {
        return "has a text of more than \(maxLength) bytes"
      }
      configuration[keyPath: place] = texts
    case (.list, _): return "must be a list of texts"
    case (.choice(let options, let place), .string(let text)):
      guard options.contains(text) else { return "must be one of \(options.joined(separator: ", "))" }
      configuration[keyPath: place] = text
    case (.choice(let options, _), _): return "must be one of \(options.joined(separator: ", "))"
    case (.flag(let place), .bool(let flag)): configuration[keyPath: place] = flag
    case (.flag, _): return "must be true or false"
    case (.isolation(let place), .string(let text)):
      guard let isolation = Isolation(text) else { return "must be \(Isolation.forms)" }
      configuration[keyPath: place] = isolation
    case (.isolation, _): return "must be \(Isolation.forms)"
    case (.level(let place), .string(let name)):
      guard let level = LogLevel(name: name) else {
        return "must be one of \(LogLevel.allCases.map(\.name).joined(separator: ", "))"
      }
      configuration[keyPath: place] = level
    case (.level, _): return "must be one of \(LogLevel.allCases.map(\.name).joined(separator: ", "))"
    }
    return nil
  }

  /// The value in a configuration, as JSON.
  package func value(in configuration: HostConfiguration) -> JSONValue {
    switch kind {
    case .number(_, let place): .integer(Int64(configuration[keyPath: place]))
    case .text(_, let place): .string(configuration[keyPath: place])
    case .list(_, _, let place): .array(configuration[keyPath: place].map(JSONValue.string))
    case .choice(_, let place): .string(configuration[keyPath: place])
    case .flag(let place): .bool(configuration[keyPath: place])
    case .isolation(let place): .string(configuration[keyPath: place].text)
    case .level(let place): .string(configuration[keyPath: place].name)
    }
  }
}

extension Setting {
  init(_ path: StaticString, _ kind: Kind, _ meaning: String) {
    let parts = path.description.split(separator: ".")
    section = String(parts[0])
    name = String(parts[1])
    self.kind = kind
    self.meaning = meaning
  }

  /// Every setting, in the order of the file that `council config default` writes.
  package static let all: [Setting] =
    listening + requests + documents + mcp + plugins + signatures + recordings + isolation + storage
    + supervision + telemetry

  /// What no single setting can know: settings that must fit together.
  package static func conflicts(in configuration: HostConfiguration) -> [String] {
    var all: [String] = []
    for (name, listener) in [
      ("public", configuration.publicListener), ("admin", configuration.adminListener),
    ]
    where listener.tlsCertificate.isEmpty != listener.tlsKey.isEmpty {
      all.append("\(name).tls_certificate and \(name).tls_key go together")
    }
    let ports = (configuration.publicListener, configuration.adminListener)
    if ports.0.port != 0, ports.0.port == ports.1.port, ports.0.address == ports.1.address {
      all.append("public and admin listen on the same address and port")
    }
    if configuration.auditRingBytes.nonzeroBitCount != 1 {
      all.append("audit.ring_bytes must be a power of two")
    }
    all += signatureFaults(configuration.signatures)
    all += mcpFaults(configuration.mcp, maxPage: configuration.records.maxPage)
    let records = configuration.records
    let atMost: [(String, Int, String, Int)] = [
      ("admin.default_page", configuration.adminDefaultPage, "admin.max_page", configuration.adminMaxPage),
      ("admin.max_page", configuration.adminMaxPage, "audit.max_read", configuration.auditMaxRead),
      ("records.default_page", records.defaultPage, "records.max_page", records.maxPage),
      (
        "records.max_document_bytes", records.maxDocumentBytes, "sqlite.max_value_bytes",
        configuration.sqlite.maxValueBytes
      ),
      (
        "sqlite.checkpoint_pages", configuration.sqlite.checkpointPages, "sqlite.restart_pages",
        configuration.sqlite.restartPages
      ),
      ("log.line_bytes", configuration.logLineBytes, "log.queue_bytes", configuration.logQueueBytes),
    ]
    for (name, value, limit, most) in atMost where value > most {
      all.append("\(name) is \(value), more than \(limit), \(most)")
    }
    // SQLite takes 16,384 values in one statement, and other parts of a query have some, too.
    if records.maxClauses * records.maxListValues > 16_000 {
      all.append("records.max_clauses times records.max_list_values is more than 16000")
    }
    let overrides = AutomationLimits.overrides(configuration.automationOverrides, usual: AutomationLimits())
    all += overrides.faults.map { "automations.overrides: \($0)" }
    return all
  }

  /// A file with every default, which explains itself.
  package static var defaultFile: String {
    let defaults = HostConfiguration()
    var text = "# Council's settings, each with its default. Leave out what you do not change.\n"
    var section = ""
    for setting in all {
      if setting.section != section {
        section = setting.section
        text += "\n\(section):\n"
      }
      text +=
        "  \(setting.name): \(JSON.text(setting.value(in: defaults)))  # \(setting.meaning) (\(setting.bounds))\n"
    }
    return text
  }
}

package import Kernel

extension Manifest {
  /// Reads a manifest document. Throws one ``Problem`` that names every fault at once, each with its JSON
  /// Pointer: `plugin.manifest.json` for bytes that are not JSON, `plugin.manifest.invalid` for the rest.
  package static func parse(_ bytes: [UInt8]) throws(Problem) -> Manifest {
    guard bytes.count <= maxBytes else {
      throw Problem(
        422, "plugin.manifest.too_large",
        "The manifest has \(bytes.count) bytes; at most \(maxBytes) are read.")
    }
    let parser = JSONDocument()
    do throws(JSONError) { try parser.parse(bytes.span) } catch {
      throw Problem(422, "plugin.manifest.json", "The manifest is not valid JSON: \(error.explanation)")
    }
    var reader = ManifestReader()
    reader.refuseRepeatedMembers(parser.root, "")
    let manifest = reader.manifest(JSONValue(parser.root))
    guard reader.faults.isEmpty, let manifest else {
      throw Problem(
        422, "plugin.manifest.invalid",
        "The manifest breaks \(reader.faults.count) rule(s); the first: \(reader.faults.first?.text ?? "")",
        members: ["errors": .array(reader.faults.map(\.json))])
    }
    return manifest
  }
}

/// Walks a manifest document and collects every fault instead of stopping at the first.
struct ManifestReader {
  struct Fault {
    var pointer: String
    var reason: String
    var text: String { "\(pointer.isEmpty ? "/" : pointer): \(reason)" }
    var json: JSONValue { ["pointer": .string(pointer), "reason": .string(reason)] }
  }

  static let maxRoutes = 20_000
  static let maxCollections = 64
  static let maxFields = 128
  static let maxFaults = 100

  private(set) var faults: [Fault] = []

  mutating func fault(_ pointer: String, _ reason: String) {
    if faults.count < ManifestReader.maxFaults { faults.append(Fault(pointer: pointer, reason: reason)) }
  }

  /// A member that stands twice means one thing to one reader and another to the next.
  mutating func refuseRepeatedMembers(_ element: borrowing JSONElement, _ at: String) {
    var members = element.members
    var seen: Set<String> = []
    while members.next() {
      let name = String(members.key)
      if !seen.insert(name).inserted { fault("\(at)/\(name)", "stands here twice") }
      refuseRepeatedMembers(members.value, "\(at)/\(name)")
    }
    var elements = element.elements
    var index = 0
    while elements.next() {
      refuseRepeatedMembers(elements.value, "\(at)/\(index)")
      index += 1
    }
  }

  // MARK: The document

  mutating func manifest(_ document: JSONValue) -> Manifest? {
    guard
      let members = object(
        document, "",
        allowed: [
          "id", "version", "version_of", "deprecated", "title", "summary", "requires", "config", "records",
          "routes",
        ])
    else { return nil }
    let id = text(members["id"], "/id", required: true, max: 63) ?? ""
    if !id.isEmpty, !Names.isAutomation(id) {
      fault("/id", "must be lower-case letters, digits and '-', starting with a letter")
    } else if Names.reservedRoots.contains(id) {
      fault("/id", "'\(id)' is a path of the host itself")
    }
    let versionOf = text(members["version_of"], "/version_of", max: 63)
    if let versionOf,
      Names.version(of: id)?.automation != versionOf || Names.reservedRoots.contains(versionOf)
    {
      fault("/version_of", "another version of '\(versionOf)' has the id '\(versionOf)-v2', '-v3' and so on")
    }
    let deprecation = deprecation(members["deprecated"], "/deprecated")
    let version = text(members["version"], "/version", required: true, max: 64) ?? ""
    var requires: [String] = []
    for (index, item) in array(members["requires"], "/requires", max: 32).enumerated() {
      if let name = text(item, "/requires/\(index)", required: true, max: 64) { requires.append(name) }
    }
    if let schema = members["config"], schema.object == nil {
      fault("/config", "must be a JSON Schema object")
    }
    var collections: [CollectionDeclaration] = []
    for (index, item) in array(members["records"], "/records", max: ManifestReader.maxCollections)
      .enumerated()
    {
      if let collection = collection(item, "/records/\(index)") { collections.append(collection) }
    }
    distinct(collections.map(\.name), "/records", "collection")
    var routes: [RouteDeclaration] = []
    for (index, item) in array(members["routes"], "/routes", max: ManifestReader.maxRoutes).enumerated() {
      guard var route = route(item, "/routes/\(index)", automation: id, family: versionOf ?? id) else {
        continue
      }
      route.deprecation = route.deprecation ?? deprecation
      routes.append(route)
    }
    if routes.isEmpty, faults.isEmpty { fault("/routes", "must name at least one route") }
    distinct(routes.map(\.operation), "/routes", "operation")
    if !collections.isEmpty, !requires.contains("council.records/1") {
      fault("/requires", "must name 'council.records/1', for the manifest declares records")
    }
    if routes.contains(where: \.streams), !requires.contains(Manifest.streams) {
      fault("/requires", "must name '\(Manifest.streams)', for a route streams")
    }
    return Manifest(
      id: id, version: version, title: text(members["title"], "/title", max: 200) ?? id,
      summary: text(members["summary"], "/summary", max: 2000) ?? "", requires: requires,
      configSchema: members["config"], collections: collections, routes: routes, versionOf: versionOf)
  }

  // MARK: Routes

  private mutating func route(
    _ value: JSONValue, _ at: String, automation: String, family: String
  ) -> RouteDeclaration? {
    guard
      let members = object(
        value, at,
        allowed: [
          "method", "path", "operation", "summary", "execution", "scope", "public", "path_parameters",
          "query", "body", "response", "status", "limit", "deadline_ms", "max_body_bytes", "title",
          "description",
          "hints", "errors", "deprecated", "confirm", "dry_run", "idempotency", "stream",
        ])
    else { return nil }
    let methodName = text(members["method"], at + "/method", required: true, max: 16) ?? "GET"
    let method = HTTPMethod(rawValue: methodName)
    if method == nil || method == .head || method == .options {
      fault(at + "/method", "must be GET, POST, PUT, PATCH or DELETE")
    }
    let path = text(members["path"], at + "/path", required: true, max: 512) ?? "/"
    if case .failure(let why) = RoutePattern.parse(path) { fault(at + "/path", why.reason) }
    let operation = text(members["operation"], at + "/operation", required: true, max: 64) ?? ""
    if !operation.isEmpty, !Names.isOperation(operation) {
      fault(at + "/operation", "must be lower-case letters, digits and '_', starting with a letter")
    }
    // What models take as the name of a function or tool.
    let name = automation.utf8.count + 1 + operation.utf8.count
    if name > 64 {
      fault(at + "/operation", "'\(automation)_\(operation)' has \(name) characters; agents take at most 64")
    }
    let execution = text(members["execution"], at + "/execution", max: 16) ?? "blocking"
    if RouteDeclaration.Execution(rawValue: execution) == nil {
      fault(at + "/execution", "must be 'inline' or 'blocking'")
    }
    let isPublic = flag(members["public"], at + "/public") ?? false
    let scope = text(members["scope"], at + "/scope", max: 128)
    if let scope, !Scope.isValid(scope) { fault(at + "/scope", "must read like 'accounts:read'") }
    if isPublic, scope != nil { fault(at + "/scope", "a public route needs no scope") }
    for name in ["path_parameters", "query", "body", "response"] {
      if let schema = members[name], schema.object == nil, schema.bool == nil {
        fault(at + "/" + name, "must be a JSON Schema")
      }
    }
    if members["body"] != nil, method == .get || method == .delete {
      fault(at + "/body", "a \(methodName) has no body")
    }
    let status = whole(members["status"], at + "/status", in: 200...299)
    if members["response"] != nil, status == 204 || status == 205 {
      fault(at + "/response", "an answer with status \(status ?? 204) has no body")
    }
    let deadline = whole(members["deadline_ms"], at + "/deadline_ms", in: 1...3_600_000)
    let reads = method == .get
    let streams = flag(members["stream"], at + "/stream") ?? false
    if members["dry_run"]?.bool == true, streams {
      fault(at + "/dry_run", "a route that streams cannot be tried: its answer leaves while it works")
    }
    let confirm = effect(members["confirm"], at + "/confirm", reads: reads)
    return RouteDeclaration(
      method: method ?? .get, path: path, operation: operation,
      summary: text(members["summary"], at + "/summary", max: 2000) ?? "",
      execution: RouteDeclaration.Execution(rawValue: execution) ?? .blocking,
      scope: isPublic ? nil : scope ?? "\(family):\(reads ? "read" : "write")",
      pathSchema: members["path_parameters"], querySchema: members["query"], bodySchema: members["body"],
      responseSchema: members["response"], status: status, limit: limit(members["limit"], at + "/limit"),
      deadline: deadline.map { .milliseconds($0) },
      maxBodyBytes: whole(members["max_body_bytes"], at + "/max_body_bytes", in: 0...(1 << 30)),
      title: text(members["title"], at + "/title", max: 100),
      details: text(members["description"], at + "/description", max: 10_000) ?? "",
      hints: hints(members["hints"], at + "/hints", of: method ?? .get, confirmed: confirm),
      errors: errors(members["errors"], at + "/errors"),
      deprecation: deprecation(members["deprecated"], at + "/deprecated"),
      confirm: confirm,
      dryRun: effect(members["dry_run"], at + "/dry_run", reads: reads),
      idempotency: idempotency(members["idempotency"], at + "/idempotency", reads: reads, streams: streams),
      streams: streams)
  }

  private mutating func limit(_ value: JSONValue?, _ at: String) -> RateLimit? {
    guard let value, let members = object(value, at, allowed: ["requests", "per_s"]) else { return nil }
    guard
      let requests = whole(members["requests"], at + "/requests", in: 1...1_000_000_000, required: true),
      let seconds = whole(members["per_s"], at + "/per_s", in: 1...86_400, required: true)
    else { return nil }
    return RateLimit(requests: requests, per: .seconds(seconds))
  }

  // MARK: Records

  private mutating func collection(_ value: JSONValue, _ at: String) -> CollectionDeclaration? {
    guard
      let members = object(
        value, at, allowed: ["name", "fields", "indexes", "queries", "expires", "resource_fields"])
    else { return nil }
    let name = text(members["name"], at + "/name", required: true, max: 63) ?? ""
    if !name.isEmpty, !Names.isField(name) { fault(at + "/name", Names.fieldRule) }
    var fields: [FieldDeclaration] = []
    for (index, item) in array(members["fields"], at + "/fields", max: ManifestReader.maxFields).enumerated()
    {
      if let field = field(item, "\(at)/fields/\(index)") { fields.append(field) }
    }
    if fields.isEmpty { fault(at + "/fields", "must name at least one field") }
    distinct(fields.map(\.name), at + "/fields", "field")
    let known = Set(fields.map(\.name)).union(["id", "version", "created_at", "updated_at"])
    var indexes: [[String]] = []
    for (index, item) in array(members["indexes"], at + "/indexes", max: 32).enumerated() {
      let names = array(item, "\(at)/indexes/\(index)", max: 8).compactMap(\.string)
      for name in names where !known.contains(name) {
        fault("\(at)/indexes/\(index)", "names no field '\(name)'")
      }
      if names.isEmpty { fault("\(at)/indexes/\(index)", "must name at least one field") }
      indexes.append(names)
    }
    var queries: [NamedQueryDeclaration] = []
    for (index, item) in array(members["queries"], at + "/queries", max: 64).enumerated() {
      let here = "\(at)/queries/\(index)"
      guard let query = object(item, here, allowed: ["name", "query"]) else { continue }
      let name = text(query["name"], here + "/name", required: true, max: 63) ?? ""
      if !Names.isField(name) { fault(here + "/name", Names.fieldRule) }
      if query["query"]?.object == nil { fault(here + "/query", "must be a query object") }
      queries.append(NamedQueryDeclaration(name: name, query: query["query"] ?? [:]))
    }
    distinct(queries.map(\.name), at + "/queries", "query")
    return CollectionDeclaration(
      name: name, fields: fields, indexes: indexes, queries: queries,
      expires: expiry(members["expires"], at + "/expires", fields),
      resourceFields: resourceFields(members["resource_fields"], at + "/resource_fields", fields))
  }

  private mutating func resourceFields(
    _ value: JSONValue?, _ at: String, _ fields: [FieldDeclaration]
  ) -> [String] {
    var names: [String] = []
    for (index, item) in array(value, at, max: ManifestReader.maxFields).enumerated() {
      let here = "\(at)/\(index)"
      guard let name = text(item, here, required: true, max: 63) else { continue }
      names.append(name)
      if ["version", "created_at", "updated_at"].contains(name) { continue }
      guard let field = fields.first(where: { $0.name == name }) else {
        fault(here, "names no field '\(name)'")
        continue
      }
      if field.encrypted { fault(here, "'\(name)' is encrypted, and is not shown") }
    }
    distinct(names, at, "field")
    if value != nil, names.isEmpty { fault(at, "must name at least one field") }
    return names
  }

  private mutating func expiry(
    _ value: JSONValue?, _ at: String, _ fields: [FieldDeclaration]
  ) -> ExpiryDeclaration? {
    guard let value, let members = object(value, at, allowed: ["field", "after_s"]) else { return nil }
    let seconds = whole(members["after_s"], at + "/after_s", in: 1...Int(ExpiryDeclaration.maxSeconds))
    guard let name = text(members["field"], at + "/field", required: true, max: 63) else { return nil }
    if fields.first(where: { $0.name == name })?.type != .timestamp {
      fault(at + "/field", "must name a timestamp field of the collection")
    }
    return ExpiryDeclaration(field: name, afterSeconds: seconds.map { Int64($0) })
  }

  private mutating func field(_ value: JSONValue, _ at: String) -> FieldDeclaration? {
    guard
      let members = object(
        value, at,
        allowed: [
          "name", "type", "required", "unique", "indexed", "default", "enum", "min_length", "max_length",
          "minimum", "maximum", "searchable", "encrypted",
        ])
    else { return nil }
    let name = text(members["name"], at + "/name", required: true, max: 63) ?? ""
    if !name.isEmpty, !Names.isField(name) { fault(at + "/name", Names.fieldRule) }
    if ["id", "version", "created_at", "updated_at"].contains(name) {
      fault(at + "/name", "'\(name)' is kept by the host itself")
    }
    let typeName = text(members["type"], at + "/type", required: true, max: 16) ?? "string"
    let type = FieldDeclaration.FieldType(rawValue: typeName)
    if type == nil {
      let all = FieldDeclaration.FieldType.allCases.map(\.rawValue).joined(separator: ", ")
      fault(at + "/type", "must be one of \(all)")
    }
    var allowed: [String]?
    if let values = members["enum"] {
      allowed = array(values, at + "/enum", max: 256).compactMap(\.string)
      if type != .string { fault(at + "/enum", "only a string field has an enum") }
    }
    let minLength = whole(members["min_length"], at + "/min_length", in: 0...1_000_000)
    let maxLength = whole(members["max_length"], at + "/max_length", in: 1...1_000_000)
    if (minLength ?? maxLength) != nil, type != .string {
      fault(at, "only a string field has lengths")
    }
    if let minLength, let maxLength, minLength > maxLength { fault(at, "min_length is above max_length") }
    let minimum = number(members["minimum"], at + "/minimum")
    let maximum = number(members["maximum"], at + "/maximum")
    if (minimum ?? maximum) != nil, type != .integer, type != .number {
      fault(at, "only a number or integer field has bounds")
    }
    if let minimum, let maximum, minimum > maximum { fault(at, "minimum is above maximum") }
    let searchable = flag(members["searchable"], at + "/searchable") ?? false
    if searchable, type != .string { fault(at + "/searchable", "only a string field can be searchable") }
    let encrypted = flag(members["encrypted"], at + "/encrypted") ?? false
    if encrypted, type != .string { fault(at + "/encrypted", "only a string field can be encrypted") }
    if encrypted, searchable { fault(at + "/searchable", "an encrypted field cannot be searched") }
    if encrypted, members["default"] != nil {
      fault(at + "/default", "an encrypted field cannot have a default, which would be kept in plain text")
    }
    return FieldDeclaration(
      name: name, type: type ?? .string, required: flag(members["required"], at + "/required") ?? false,
      unique: flag(members["unique"], at + "/unique") ?? false,
      indexed: flag(members["indexed"], at + "/indexed") ?? false, searchable: searchable,
      encrypted: encrypted, defaultValue: members["default"], allowed: allowed, minLength: minLength,
      maxLength: maxLength, minimum: minimum, maximum: maximum)
  }

  // MARK: Values

  mutating func object(
    _ value: JSONValue, _ at: String, allowed: Set<String>
  ) -> [String: JSONValue]? {
    guard let members = value.object else {
      fault(at, "must be an object")
      return nil
    }
    for name in members.keys.sorted() where !allowed.contains(name) {
      fault(
        "\(at)/\(name)",
        "is not a member of a manifest; known here: \(allowed.sorted().joined(separator: ", "))")
    }
    return members
  }

  mutating func array(_ value: JSONValue?, _ at: String, max: Int) -> [JSONValue] {
    guard let value else { return [] }
    guard let items = value.array else {
      fault(at, "must be an array")
      return []
    }
    if items.count > max {
      fault(at, "has \(items.count) elements; at most \(max) are allowed")
      return []
    }
    return items
  }

  mutating func text(
    _ value: JSONValue?, _ at: String, required: Bool = false, max: Int
  ) -> String? {
    guard let value else {
      if required { fault(at, "is missing") }
      return nil
    }
    guard let text = value.string else {
      fault(at, "must be a string")
      return nil
    }
    if text.isEmpty, required { fault(at, "must not be empty") }
    if text.unicodeScalars.count > max { fault(at, "is longer than \(max) characters") }
    if text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" }) {
      fault(at, "holds a control character")
    }
    return text
  }

  mutating func flag(_ value: JSONValue?, _ at: String) -> Bool? {
    guard let value else { return nil }
    if value.bool == nil { fault(at, "must be true or false") }
    return value.bool
  }

  mutating func whole(
    _ value: JSONValue?, _ at: String, in range: ClosedRange<Int>, required: Bool = false
  ) -> Int? {
    guard let value else {
      if required { fault(at, "is missing") }
      return nil
    }
    guard let number = value.integer, range.contains(Int(number)) else {
      fault(at, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return Int(number)
  }

  mutating func number(_ value: JSONValue?, _ at: String) -> Double? {
    switch value {
    case nil: return nil
    case .integer(let number): return Double(number)
    case .number(let number): return number
    default:
      fault(at, "must be a number")
      return nil
    }
  }

  mutating func distinct(_ names: [String], _ at: String, _ what: String) {
    var seen: Set<String> = []
    for (index, name) in names.enumerated() where !seen.insert(name).inserted {
      fault("\(at)/\(index)", "repeats the \(what) '\(name)'")
    }
  }
}

import CouncilPlugin

/// The rules of PluginAPI/Manifest.md that an author breaks most easily. The host checks all of them.
enum ManifestCheck {
  static func check(_ manifest: JSON) throws(FakeHost.LoadError) {
    try members(
      manifest, "",
      known: [
        "id", "version", "version_of", "deprecated", "title", "summary", "requires", "config", "records",
        "routes",
      ],
      required: ["id", "version", "routes"])
    try name(manifest["id"], "/id", beside: "-", max: 63)
    for (index, collection) in (manifest["records"]?.array ?? []).enumerated() {
      try check(collection: collection, "/records/\(index)")
    }
    let routes = manifest["routes"]?.array ?? []
    if routes.isEmpty { throw fault("/routes", "must name at least one route") }
    for (index, route) in routes.enumerated() { try check(route: route, "/routes/\(index)") }
    try distinct(routes.map { $0["operation"]?.string ?? "" }, "/routes", "operation")
    try distinct(
      routes.map { "\($0["method"]?.string ?? "") \(shape($0["path"]?.string ?? ""))" }, "/routes", "route")
    let requires = manifest["requires"]?.array ?? []
    for requirement in requires
    where !["council.http/1", "council.records/1", "council.log/1", "council.stream/1"].contains(requirement)
    {
      throw fault("/requires", "names \(requirement), which this host does not have")
    }
    if routes.contains(where: { $0["stream"] == true }), !requires.contains("council.stream/1") {
      throw fault("/requires", "must name 'council.stream/1', for a route streams")
    }
    if manifest["records"] != nil, !requires.contains("council.records/1") {
      throw fault("/requires", "must name 'council.records/1', for the manifest declares records")
    }
  }

  private static func check(route: JSON, _ at: String) throws(FakeHost.LoadError) {
    try members(
      route, at,
      known: [
        "method", "path", "operation", "summary", "execution", "scope", "public", "path_parameters", "query",
        "body", "response", "status", "limit", "deadline_ms", "max_body_bytes", "title", "description",
        "hints",
        "errors", "deprecated", "confirm", "dry_run", "idempotency", "stream",
      ], required: ["method", "path", "operation"])
    try name(route["operation"], at + "/operation", beside: "_", max: 64)
    let method = route["method"]?.string ?? ""
    if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(method) {
      throw fault(at + "/method", "must be GET, POST, PUT, PATCH or DELETE")
    }
    if route["body"] != nil, method == "GET" || method == "DELETE" {
      throw fault(at + "/body", "a \(method) has no body")
    }
    if let status = route["status"], !(200...299).contains(status.integer ?? 0) {
      throw fault(at + "/status", "must be a whole number from 200 to 299")
    }
    if route["response"] != nil, route["status"] == 204 || route["status"] == 205 {
      throw fault(at + "/response", "an answer with that status has no body")
    }
    for name in ["confirm", "dry_run"] where route[name] == true && method == "GET" {
      throw fault("\(at)/\(name)", "a GET changes nothing")
    }
    if route["dry_run"] == true, route["stream"] == true {
      throw fault(at + "/dry_run", "a route that streams cannot be tried")
    }
    if let rule = route["idempotency"]?.string, !["none", "optional", "required"].contains(rule) {
      throw fault(at + "/idempotency", "must be 'none', 'optional' or 'required'")
    }
    if route["path"]?.string?.hasPrefix("/") != true { throw fault(at + "/path", "must start with '/'") }
    if route["public"] == true, route["scope"] != nil {
      throw fault(at + "/scope", "a public route needs no scope")
    }
  }

  private static func check(collection: JSON, _ at: String) throws(FakeHost.LoadError) {
    try members(
      collection, at, known: ["name", "fields", "indexes", "queries", "expires", "resource_fields"],
      required: ["name", "fields"])
    try name(collection["name"], at + "/name", beside: "_", max: 63)
    let fields = collection["fields"]?.array ?? []
    if fields.isEmpty { throw fault(at + "/fields", "must name at least one field") }
    for (index, field) in fields.enumerated() {
      let here = "\(at)/fields/\(index)"
      try members(
        field, here,
        known: [
          "name", "type", "required", "unique", "indexed", "default", "enum", "min_length", "max_length",
          "minimum", "maximum", "searchable", "encrypted",
        ], required: ["name", "type"])
      try name(field["name"], here + "/name", beside: "_", max: 63)
      if FakeCollection.own.contains(field["name"]?.string ?? "") {
        throw fault(here + "/name", "is kept by the host itself")
      }
      try check(searchableOrEncrypted: field, here)
    }
    if let expires = collection["expires"] {
      try members(expires, at + "/expires", known: ["field", "after_s"], required: ["field"])
      let field = fields.first { $0["name"] == expires["field"] }
      if field?["type"]?.string != "timestamp" {
        throw fault(at + "/expires/field", "must name a timestamp field of the collection")
      }
      if let seconds = expires["after_s"], !(1...3_155_760_000).contains(seconds.integer ?? 0) {
        throw fault(at + "/expires/after_s", "must be a whole number from 1 to 3155760000")
      }
    }
    let names = fields.compactMap { $0["name"]?.string }
    try distinct(names, at + "/fields", "field")
    for name in collection["resource_fields"]?.array ?? [] {
      let field = fields.first { $0["name"] == name }
      if field == nil, !["version", "created_at", "updated_at"].contains(name.string ?? "") {
        throw fault(at + "/resource_fields", "names no field \(name)")
      }
      if field?["encrypted"] == true {
        throw fault(at + "/resource_fields", "names \(name), which is encrypted and is not shown")
      }
    }
    for index in collection["indexes"]?.array ?? [] {
      for name in index.array ?? [] where !(names + FakeCollection.own).contains(name.string ?? "") {
        throw fault(at + "/indexes", "names no field \(name)")
      }
      for name in index.array ?? []
      where fields.contains(where: { $0["name"] == name && $0["encrypted"] == true }) {
        throw fault(at + "/indexes", "names \(name), which is encrypted and has no order")
      }
    }
  }

  private static func check(searchableOrEncrypted field: JSON, _ at: String) throws(FakeHost.LoadError) {
    for name in ["searchable", "encrypted"] where field[name] == true && field["type"]?.string != "string" {
      throw fault("\(at)/\(name)", "only a string field can be \(name)")
    }
    guard field["encrypted"] == true else { return }
    if field["searchable"] == true {
      throw fault(at + "/searchable", "an encrypted field cannot be searched")
    }
    if field["default"] != nil { throw fault(at + "/default", "an encrypted field cannot have a default") }
  }

  private static func members(
    _ value: JSON, _ at: String, known: [String], required: [String]
  ) throws(FakeHost.LoadError) {
    guard let members = value.members else { throw fault(at, "must be an object") }
    for member in members where !known.contains(member.name) {
      throw fault("\(at)/\(member.name)", "is not a member of a manifest: \(member.value)")
    }
    for name in required where value[name] == nil { throw fault("\(at)/\(name)", "is missing") }
  }

  private static func name(
    _ value: JSON?, _ at: String, beside extra: Unicode.Scalar, max: Int
  ) throws(FakeHost.LoadError) {
    let scalars = (value?.string ?? "").unicodeScalars
    let fits = scalars.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) || $0 == extra }
    guard let first = scalars.first, ("a"..."z").contains(first), fits, scalars.count <= max else {
      throw fault(at, "must be lower-case letters, digits and '\(extra)', starting with a letter")
    }
  }

  private static func distinct(_ names: [String], _ at: String, _ what: String) throws(FakeHost.LoadError) {
    var seen: Set<String> = []
    for name in names where !seen.insert(name).inserted { throw fault(at, "repeats the \(what) '\(name)'") }
  }

  /// A path with the names of its parameters left out: two that differ only there are the same.
  private static func shape(_ path: String) -> String {
    path.split(separator: "/").map { $0.hasPrefix("{") ? "{}" : String($0) }.joined(separator: "/")
  }

  private static func fault(_ at: String, _ reason: String) -> FakeHost.LoadError {
    FakeHost.LoadError(description: "\(at.isEmpty ? "/" : at): \(reason)")
  }
}

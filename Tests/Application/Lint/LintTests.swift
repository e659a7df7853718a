import Application
import Domain
import Kernel
import Testing

/// What the linter finds, rule by rule, and that it finds nothing where nothing is.
@Suite struct LintTests {
  /// A manifest without a finding.
  private static let clean: JSONValue = [
    "id": "shop", "version": "1", "summary": "Sells things.",
    "routes": [
      [
        "method": "POST", "path": "/{id}/items", "operation": "add_item",
        "summary": "Add an item to an order.",
        "path_parameters": [
          "type": "object", "required": ["id"], "additionalProperties": false,
          "properties": ["id": ["type": "string", "description": "The order.", "examples": ["7"]]],
        ],
        "query": [
          "type": "object", "additionalProperties": false, "examples": [["note": "urgent"]],
          "properties": ["note": ["type": "string", "description": "For whoever packs it."]],
        ],
        "body": [
          "type": "object", "required": ["sku"], "additionalProperties": false,
          "properties": [
            "sku": ["type": "string", "description": "What.", "examples": ["A-1"]],
            "count": ["type": "integer", "description": "How many.", "default": 1],
          ],
        ],
        "response": [
          "type": "object", "properties": ["id": ["type": "string", "description": "The item."]],
          "required": ["id"],
        ],
      ]
    ],
  ]

  private func lint(_ document: JSONValue, _ limits: LintManifest.Limits = .init()) throws -> LintReport {
    try LintManifest(limits)(try Manifest.parse(JSON.encode(document)))
  }

  /// The clean manifest with something else at a place.
  private func changed(_ path: [String], _ value: JSONValue?) -> JSONValue {
    func change(_ node: JSONValue, _ path: ArraySlice<String>) -> JSONValue {
      guard let step = path.first else { return node }
      if case .array(var items) = node, let index = Int(step) {
        items[index] = path.count == 1 ? value ?? .null : change(items[index], path.dropFirst())
        return .array(items)
      }
      var members = node.object ?? [:]
      members[step] = path.count == 1 ? value : change(members[step] ?? [:], path.dropFirst())
      return .object(members)
    }
    return change(LintTests.clean, path[...])
  }

  private func route(_ path: String, _ value: JSONValue?) -> JSONValue {
    changed(["routes", "0"] + path.split(separator: "/").map(String.init), value)
  }

  private func findings(_ document: JSONValue) throws -> [String] {
    try lint(document).findings.map { finding in
      #expect(finding.text.hasSuffix(".") && finding.code.hasPrefix("lint."))
      return "\(finding.severity.rawValue) \(finding.code.dropFirst(5)) \(finding.pointer)"
    }
  }

  @Test func findsNothingWhereNothingIs() throws {
    #expect(try findings(LintTests.clean).isEmpty)
    let report = try lint(LintTests.clean)
    #expect(report.costs.map(\.operation) == ["add_item"] && report.costs[0].isStrict)
    #expect(report.tokens == report.costs[0].tokens && report.tokens > 50)
  }

  // MARK: Texts

  @Test func summariesAndTheirLengths() throws {
    #expect(try findings(changed(["summary"], nil)) == ["warning summary_missing /summary"])
    #expect(try findings(route("summary", nil)) == ["error summary_missing /routes/0/summary"])
    func text(_ length: Int) -> JSONValue { .string(String(repeating: "é", count: length)) }
    #expect(try findings(route("summary", text(300))).isEmpty)
    #expect(try findings(route("summary", text(301))) == ["warning summary_long /routes/0/summary"])
    // 24 characters of summary, two line ends.
    let forGPT = "warning description_long_for_gpt /routes/0/description"
    #expect(try findings(route("description", text(300))).isEmpty)
    #expect(try findings(route("description", text(301))) == [forGPT])
    #expect(try findings(route("description", text(1024 - 26))) == [forGPT])
    #expect(
      try findings(route("description", text(1025 - 26))) == [
        forGPT, "warning description_long /routes/0/description",
      ])
    let place = "body/properties/sku/description"
    #expect(try findings(route(place, text(700))).isEmpty)
    #expect(
      try findings(route(place, text(701))) == [
        "warning description_long /routes/0/body/properties/sku/description"
      ])
  }

  /// However many warnings stand before them.
  @Test func errorsAreNeverLostAmongWarnings() throws {
    let silent = (0..<LintReport.maxFindings + 20).map { ("p\($0)", ["type": "integer"] as JSONValue) }
    var document = route("query/properties", .object(Dictionary(uniqueKeysWithValues: silent)))
    let full = try lint(document)
    #expect(full.findings.count == 100 && full.omitted > 0 && full.errors.isEmpty && full.errorCount == 0)
    #expect(throws: Never.self) { try lint(document, .init(mode: .refuse)) }
    guard case .object(var members) = document else { return }
    let bare: [JSONValue] = (0..<3).map {
      ["method": "GET", "path": .string("/r\($0)"), "operation": .string("r\($0)")]
    }
    members["routes"] = .array((members["routes"]?.array ?? []) + bare)
    document = .object(members)
    let report = try lint(document)
    #expect(report.findings.count == 100 && report.errorCount == 3 && report.errors.count == 3)
    #expect(report.omitted > full.omitted)
    do {
      _ = try lint(document, .init(mode: .refuse))
      Issue.record("three errors are not refused")
    } catch let problem as Problem {
      #expect(problem.code == "plugin.lint.refused" && problem.detail.contains("3 error(s)"))
    }
    // More errors than are kept are counted.
    members["routes"] = .array(
      (0..<LintReport.maxFindings + 1).map {
        ["method": "GET", "path": .string("/r\($0)"), "operation": .string("r\($0)")]
      })
    let many = try lint(.object(members))
    #expect(many.errors.count == 100 && many.errorCount == 101)
  }

  @Test func whereAParameterIsDeclaredIsSaid() throws {
    let query: JSONValue = [
      "type": "object", "examples": [["note": "urgent"]], "allOf": [["$ref": "#/$defs/paging"]],
      "$defs": ["paging": ["properties": ["bad name": ["type": "string", "description": "A name."]]]],
    ]
    #expect(
      try findings(route("query", query)).contains(
        "warning argument_name /routes/0/query/$defs/paging/properties/bad name"))
  }

  @Test func twoRoutesWithOneSummary() throws {
    var routes = LintTests.clean["routes"]?.array ?? []
    var twin = routes[0].object ?? [:]
    twin["operation"] = "put_item"
    twin["method"] = "PUT"
    routes.append(.object(twin))
    #expect(
      try findings(changed(["routes"], .array(routes))) == ["warning summary_repeated /routes/1/summary"])
  }

  @Test(arguments: [
    ("path_parameters/properties/id", "/path_parameters/properties/id"),
    ("query/properties/note", "/query/properties/note"), ("body/properties/count", "/body/properties/count"),
  ])
  func whatIsNotDescribed(_ path: String, _ pointer: String) throws {
    #expect(
      try findings(route(path + "/description", nil)) == ["warning description_missing /routes/0\(pointer)"])
  }

  @Test func whatIsNotDescribedInside() throws {
    let inner: JSONValue = [
      "type": "array", "description": "Sizes.",
      "items": [
        "type": "object", "additionalProperties": false, "required": ["a/b"],
        "properties": ["a/b": ["type": "integer"]],
      ],
    ]
    #expect(
      try findings(route("body/properties/sku", inner))
        .contains("warning description_missing /routes/0/body/properties/sku/items/properties/a~1b"))
  }

  @Test func aReferenceSpeaksForThoseWhoReferToIt() throws {
    var body = LintTests.clean["routes"]?.array?[0]["body"]?.object ?? [:]
    body["properties"] = ["sku": ["$ref": "#/$defs/SKU"]]
    body["$defs"] = ["SKU": ["type": "string", "description": "What.", "examples": ["A-1"]]]
    #expect(try findings(route("body", .object(body))).isEmpty)
    body["$defs"] = ["SKU": ["type": "string"]]
    #expect(
      try findings(route("body", .object(body))) == [
        "warning description_missing /routes/0/body/properties/sku", "warning example_missing /routes/0/body",
      ])
  }

  @Test func aPathParameterWithoutASchema() throws {
    #expect(
      try findings(route("path_parameters", nil)) == ["warning description_missing /routes/0/path_parameters"]
    )
  }

  // MARK: Examples

  @Test func textsNeedAnExample() throws {
    #expect(
      try findings(route("body/properties/sku/examples", nil)) == ["warning example_missing /routes/0/body"])
    #expect(try findings(route("query/examples", nil)) == ["warning example_missing /routes/0/query"])
    for word in ["enum", "const", "format", "default"] {
      let value: JSONValue = word == "enum" ? ["a"] : word == "format" ? "uuid" : "a"
      let schema: JSONValue = ["type": "string", "description": "What.", .init(word): value]
      #expect(try findings(route("body/properties/sku", schema)).isEmpty, "\(word)")
    }
  }

  // MARK: Hints

  @Test(arguments: [
    ("GET", "destructive", true, true), ("GET", "read_only", false, true), ("GET", "idempotent", false, true),
    ("DELETE", "read_only", true, true), ("PUT", "read_only", true, true), ("PATCH", "read_only", true, true),
    ("PUT", "idempotent", false, true), ("DELETE", "idempotent", false, true),
    // A search that needs a body is a POST that only reads.
    ("POST", "read_only", true, false), ("POST", "destructive", true, false),
    ("POST", "idempotent", true, false),
    ("PATCH", "idempotent", true, false), ("DELETE", "destructive", false, false),
    ("GET", "open_world", true, false),
  ])
  func hintsAgainstTheMethod(_ method: String, _ hint: String, _ value: Bool, _ contradicts: Bool) throws {
    var route = LintTests.clean["routes"]?.array?[0].object ?? [:]
    route["method"] = .string(method)
    if method == "GET" || method == "DELETE" { route["body"] = nil }
    var hints: [String: JSONValue] = [hint: .bool(value)]
    // What only reads does not destroy: the manifest itself refuses both.
    if hint == "read_only", value { hints["destructive"] = false }
    if hint == "destructive", value, method == "GET" { hints["read_only"] = false }
    route["hints"] = .object(hints)
    let found = try findings(changed(["routes"], [.object(route)]))
      .filter { $0 == "error hint_contradicts_method /routes/0/hints/\(hint)" }
    #expect(found.isEmpty != contradicts, "\(method) \(hint)")
  }

  @Test(
    arguments: [
      // A DELETE destroys unless it says otherwise; anything else only where it says so.
      ("DELETE", nil, false, true), ("DELETE", nil, true, false), ("DELETE", false, false, false),
      ("POST", true, false, true), ("POST", true, true, false), ("POST", nil, false, false),
      ("PATCH", true, false, true), ("PATCH", false, false, false),
    ] as [(String, Bool?, Bool, Bool)])
  func whatDestroysIsConfirmed(
    _ method: String, _ destructive: Bool?, _ confirms: Bool, _ isFound: Bool
  ) throws {
    var route = LintTests.clean["routes"]?.array?[0].object ?? [:]
    route["method"] = .string(method)
    if method == "DELETE" { route["body"] = nil }
    if let destructive { route["hints"] = ["destructive": .bool(destructive)] }
    if confirms { route["confirm"] = true }
    let found = try findings(changed(["routes"], [.object(route)]))
    #expect(found == (isFound ? ["warning unconfirmed /routes/0/confirm"] : []))
  }

  // MARK: Answers

  @Test func answersAreDeclaredAndDescribed() throws {
    #expect(try findings(route("response", nil)) == ["warning response_missing /routes/0/response"])
    #expect(
      try findings(route("response/properties/id/description", nil)) == [
        "warning response_undescribed /routes/0/response"
      ])
    var delete = LintTests.clean["routes"]?.array?[0].object ?? [:]
    (delete["method"], delete["body"], delete["response"]) = ("DELETE", nil, nil)
    #expect(
      try findings(changed(["routes"], [.object(delete)])).filter { $0.contains("response") }.isEmpty)
  }

  @Test func aStreamIsDescribedInWords() throws {
    var route = LintTests.clean["routes"]?.array?[0].object ?? [:]
    (route["stream"], route["response"]) = (true, nil)
    func found() throws -> [String] {
      var manifest = changed(["routes"], [.object(route)]).object ?? [:]
      manifest["requires"] = ["council.stream/1"]
      return try findings(.object(manifest))
    }
    #expect(try found() == ["warning response_missing /routes/0/description"])
    route["description"] = "Answers with an event for each item that is added."
    #expect(try found().isEmpty)
  }

  // MARK: As a function

  @Test func namesOfArguments() throws {
    let schema: JSONValue = ["type": "integer", "description": "How many."]
    #expect(try findings(route("query/properties/x.y-Z_9", schema)).isEmpty)
    #expect(
      try findings(route("query/properties/größe", schema)) == [
        "warning argument_name /routes/0/query/properties/größe"
      ])
    let long = String(repeating: "n", count: 65)
    #expect(
      try findings(route("body/properties/\(long)", schema)) == [
        "warning argument_name /routes/0/body/properties/\(long)"
      ])
  }

  private func nested(_ depth: Int) -> JSONValue {
    depth == 0
      ? ["type": "integer", "description": "Leaf."]
      : [
        "type": "object", "description": "Level.", "additionalProperties": false, "required": ["in"],
        "properties": ["in": nested(depth - 1)],
      ]
  }

  @Test func depth() throws {
    // The arguments are the first level.
    #expect(try findings(route("body/properties/deep", nested(4))).isEmpty)
    #expect(
      try findings(route("body/properties/deep", nested(5))) == [
        "warning depth /routes/0/body/properties/deep/properties/in/properties/in/properties/in/properties/in"
      ])
  }

  @Test func whatIsNotStrict() throws {
    let either: JSONValue = ["type": ["integer", "null"], "description": "How many."]
    #expect(
      try findings(route("query/properties/n", either)) == ["warning not_strict /routes/0/query/properties/n"]
    )
    #expect(try lint(route("query/properties/n", either)).costs[0].isStrict == false)
    // A body that is one argument, and a definition in it.
    let list: JSONValue = [
      "type": "array", "items": ["$ref": "#/$defs/Any"], "examples": [[1]],
      "$defs": ["Any": ["description": "Whatever."]],
    ]
    #expect(try findings(route("body", list)) == ["warning not_strict /routes/0/body/$defs/Any"])
  }

  // MARK: Costs

  @Test func theBudgetOfTokens() throws {
    let tokens = try lint(LintTests.clean).tokens
    #expect(try lint(LintTests.clean, .init(tokens: tokens)).findings.isEmpty)
    let finding = try #require(try lint(LintTests.clean, .init(tokens: tokens - 1)).findings.first)
    #expect(finding.code == "lint.tokens" && finding.text.contains("add_item \(tokens)"))
  }

  private func many(_ count: Int) -> JSONValue {
    changed(
      ["routes"],
      .array(
        (0..<count).map { number in
          [
            "method": "GET", "path": .string("/r\(number)"), "operation": .string("r\(number)"),
            "summary": .string("Read \(number)."), "response": ["type": "integer"],
          ]
        }))
  }

  @Test func tooManyOperations() throws {
    #expect(try findings(many(30)).isEmpty)
    #expect(try findings(many(31)) == ["warning operations_many /routes"])
    let report = try lint(many(1001), .init(tokens: 1_000_000))
    #expect(report.findings.map(\.code) == ["lint.operations_many", "lint.not_looked_at"])
    #expect(report.costs.count == 1000)
  }

  @Test func keepsAHundredFindingsAndCountsTheRest() throws {
    let properties = (0..<120).map { ("p\($0)", ["type": "integer"] as JSONValue) }
    let query: JSONValue = [
      "type": "object", "properties": .object(Dictionary(uniqueKeysWithValues: properties)),
      "additionalProperties": false,
    ]
    let report = try lint(route("query", query))
    #expect(report.findings.count == 100 && report.omitted == 20)
    #expect(report.json["omitted"] == 20)
  }

  // MARK: Modes

  @Test func refusesErrorsWhereToldTo() throws {
    let bad = route("summary", nil)
    #expect(try lint(bad, .init(mode: .off)).findings.isEmpty)
    #expect(try lint(bad, .init(mode: .warn)).errors.count == 1)
    let problem = #expect(throws: Problem.self) { try lint(bad, .init(mode: .refuse)) }
    #expect(problem?.code == "plugin.lint.refused" && problem?.status == 422)
    #expect(problem?.members["errors"]?.array?[0]["pointer"] == "/routes/0/summary")
    // Warnings alone refuse nothing.
    #expect(try lint(changed(["summary"], nil), .init(mode: .refuse)).findings.count == 1)
  }
}

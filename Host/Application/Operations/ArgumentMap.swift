import Domain
package import Kernel

/// One JSON object in the place of path, query and body: what a model fills in.
///
/// Path and query parameters are members of their names. So are the body's members, where its schema is a plain object
/// that takes no others and no name comes twice; any other body is one member, `body`.
package struct ArgumentMap: Sendable {
  package enum Place: Sendable, Equatable {
    /// The path parameter, or query parameter, of that name.
    case path(String)
    case query(String)
    /// A member of the body, of the argument's name.
    case member
    case body
  }

  /// JSON Schema of the object: closed, its `required` in the order path, query, body.
  package let schema: JSONValue
  /// By the argument's name.
  package let places: [String: Place]
  /// The same, to be found without a String: names and places in one order.
  private let names: SegmentMap
  private let placesInOrder: [Place]
  private let method: HTTPMethod
  /// `/accounts`: what stands before the pattern.
  private let root: String
  private let segments: [RoutePattern.Segment]
  private let safety: SafetyWords.Set
  private let answers: HostParameter.Set
  /// A body is built of members.
  private let hasMembers: Bool

  init(_ declaration: RouteDeclaration, _ pattern: RoutePattern, root: String) {
    method = declaration.method
    self.root = root
    segments = pattern.segments
    var parts = SchemaParts()
    var path = MovedSchema(declaration.pathSchema, "path")
    let described = SchemaProperties.of(declaration.pathSchema ?? [:])
    for name in pattern.parameterNames {
      let schema = path.part(at: described[name]?.place)
      parts.add(name, schema ?? ["type": "string", "minLength": 1], .path(name))
      parts.required.append(name)
    }
    parts.addDefinitions(of: &path)
    var query = MovedSchema(declaration.querySchema, "query")
    for (name, property) in SchemaProperties.of(declaration.querySchema ?? [:]).sorted(by: { $0.key < $1.key }
    ) {
      let argument = parts.places[name] == nil ? name : "query_" + name
      parts.add(argument, query.part(at: property.place) ?? true, .query(name))
      if property.isRequired { parts.required.append(argument) }
    }
    parts.addDefinitions(of: &query)
    hasMembers = parts.addBody(declaration.bodySchema)
    safety = SafetyWords(declaration).query
    for word in SafetyWords.Word.allCases where safety.holds(word) && declaration.offers(word) {
      let name = word.name.description
      guard parts.places[name] == nil else { continue }
      parts.add(name, word.schema, .query(name))
      if word == .key, declaration.idempotency == .required { parts.required.append(name) }
    }
    let outline = AnswerOutline(declaration)
    answers = outline.parameters
    for parameter in HostParameter.allCases where parameter.isOffered(by: declaration, outline) {
      let name = parameter.rawValue
      if parts.places[name] == nil { parts.add(name, parameter.argument(outline), .query(name)) }
    }
    schema = parts.schema
    places = parts.places
    var names = SegmentMap()
    var inOrder: [Place] = []
    for (name, place) in parts.places {
      names.insert(0, name.utf8.span, inOrder.count)
      inOrder.append(place)
    }
    self.names = names
    placesInOrder = inOrder
  }

  /// Writes the request that these arguments stand for: its target, percent-encoded, and its body.
  ///
  /// Throws 422: `call.arguments_invalid` for what is no object, `call.argument_unknown`, `call.argument_missing`,
  /// `call.argument_invalid`. What the values must be is for the route's own schemas to say.
  package func write(
    _ arguments: borrowing JSONElement, target: Arena, body: Arena
  ) throws(Problem) {
    guard arguments.kind == .object else {
      throw Problem(422, "call.arguments_invalid", "The arguments must be one JSON object.")
    }
    target.append(root)
    if segments.isEmpty { target.append("/") }
    for segment in segments {
      target.append("/")
      switch segment {
      case .literal(let text): target.append(text)
      case .parameter(let name):
        guard let value = arguments.member(name.utf8.span) else {
          throw Problem(
            422, "call.argument_missing", "The argument '\(name)' is missing.",
            members: ["argument": .string(name)])
        }
        let start = target.count
        try ArgumentMap.write(value, of: name, to: target)
        if target.count == start { throw ArgumentMap.invalid(name, "must not be empty") }
      }
    }
    var hasQuery = false
    var bodyMembers = 0
    var seen = Seen()
    var members = arguments.members
    while members.next() {
      let number = names.find(0, members.key)
      guard let place = number.map({ placesInOrder[$0] }) ?? hostPlace(members.key) else {
        throw unknown(String(members.key))
      }
      guard seen.note(number, members.key) else {
        throw ArgumentMap.invalid(String(members.key), "stands here twice")
      }
      switch place {
      case .path: break
      case .query(let parameter):
        try write(members.value, as: parameter, of: String(members.key), to: target, &hasQuery)
      case .member:
        body.append(bodyMembers == 0 ? "{" : ",")
        bodyMembers += 1
        body.append(jsonString: members.key)
        body.append(":")
        body.append(json: members.value)
      case .body: body.append(json: members.value)
      }
    }
    if hasMembers { body.append(bodyMembers == 0 ? "{}" : "}") }
  }

  /// The arguments that came: a bit for each of the first 64, the names of any others.
  private struct Seen {
    private var first: UInt64 = 0
    private var others: Set<String> = []

    /// False for one that came before.
    mutating func note(_ number: Int?, _ name: Span<UInt8>) -> Bool {
      guard let number, number < 64 else { return others.insert(String(name)).inserted }
      let bit: UInt64 = 1 << UInt64(number)
      defer { first |= bit }
      return first & bit == 0
    }
  }

  /// What makes a write safe may be said of every write, and what of an answer is wanted of every route, also where the
  /// schema does not speak of it.
  private func hostPlace(_ name: Span<UInt8>) -> Place? {
    if let word = safety.word(name) { return .query(word.name.description) }
    guard let parameter = HostParameter(name), answers.contains(parameter) else { return nil }
    return .query(parameter.rawValue)
  }

  /// An array repeats its parameter, null leaves it out.
  private func write(
    _ value: borrowing JSONElement, as parameter: String, of name: String, to target: Arena,
    _ hasQuery: inout Bool
  ) throws(Problem) {
    if value.kind == .array {
      var elements = value.elements
      while elements.next() { try write(elements.value, as: parameter, of: name, to: target, &hasQuery) }
      return
    }
    if value.kind == .null { return }
    target.append(hasQuery ? "&" : "?")
    hasQuery = true
    target.append(percentEncoding: parameter.utf8.span)
    target.append("=")
    try ArgumentMap.write(value, of: name, to: target)
  }

  private static func write(
    _ value: borrowing JSONElement, of name: String, to target: Arena
  ) throws(Problem) {
    switch value.kind {
    case .string: if let text = value.utf8 { target.append(percentEncoding: text) }
    case .integer, .unsigned, .bool: target.append(json: value)
    // An exponent's plus is a space in a query.
    case .double(let number): target.append(percentEncoding: "\(number)".utf8.span)
    case .object, .array, .null: throw invalid(name, "must be a text, a number or a boolean")
    }
  }

  private func unknown(_ name: String) -> Problem {
    let known = places.keys.sorted()
    return Problem(
      422, "call.argument_unknown",
      "There is no argument '\(name.prefix(100))'. "
        + (known.isEmpty ? "This takes none." : "Known: \(known.prefix(50).joined(separator: ", "))."),
      members: ["argument": .string(String(name.prefix(100)))])
  }

  private static func invalid(_ name: String, _ reason: String) -> Problem {
    Problem(
      422, "call.argument_invalid", "The argument '\(name)' \(reason).", members: ["argument": .string(name)])
  }
}

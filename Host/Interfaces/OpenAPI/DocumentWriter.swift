import Application
import Domain
import Kernel

/// Writes one document, path by path: what is written already is bytes, so that a table of 20,000 routes never stands in
/// memory as a tree.
struct DocumentWriter {
  struct Facts {
    var version = OpenAPIVersion.v31
    var profile = Profile.whole
    var title = ""
    var description = ""
    /// Of what is described.
    var release = ""
    var server = "/"
    /// Further members of the document.
    var more: [(name: String, value: JSONValue)] = []
    /// A longer document is refused.
    var maxBytes = 64 << 20
  }

  enum Profile { case whole, gpt }

  let facts: Facts
  private let paths = Arena(capacity: 16 << 10)
  private let schemas = Arena(capacity: 4 << 10)
  private var statuses: Set<Int> = []
  private var names: Set<String> = ["Problem"]
  /// Parameters that operations share.
  var parameters: [String: JSONValue] = [:]
  /// Headers of answers, of which there are few kinds.
  private var headers: [Int: JSONValue] = [:]

  init(_ facts: Facts) {
    self.facts = facts
    schemas.append("\"Problem\":")
    schemas.append(json: SharedParts.problem)
  }

  var isGPT: Bool { facts.profile == .gpt }

  // MARK: Paths

  /// Throws `openapi.too_large` (422) for what would be longer than allowed.
  mutating func add(_ operations: [Described]) throws(Problem) {
    var order: [String] = []
    var groups: [String: [Described]] = [:]
    for operation in operations {
      let shape = operation.shape
      if groups[shape] == nil { order.append(shape) }
      groups[shape, default: []].append(operation)
    }
    for shape in order { try add(path: groups[shape] ?? []) }
  }

  /// The methods of one path. Paths that differ only in the names of parameters are one: the first one's names hold.
  private mutating func add(path operations: [Described]) throws(Problem) {
    guard let first = operations.first else { return }
    if paths.count > 0 { paths.append(",") }
    paths.append(jsonString: first.template.utf8.span)
    paths.append(":{")
    for (number, operation) in operations.enumerated() {
      if number > 0 { paths.append(",") }
      paths.append(jsonString: operation.method.rawValue.lowercased().utf8.span)
      paths.append(":")
      paths.append(json: .object(members(operation, names: first.pattern.parameterNames)))
    }
    paths.append("}")
    guard paths.count + schemas.count <= facts.maxBytes else {
      throw Problem(
        422, "openapi.too_large",
        "The document would be longer than \(facts.maxBytes) bytes. Ask for one automation, with ?automation=<id>."
      )
    }
  }

  private mutating func members(_ operation: Described, names: [String]) -> [String: JSONValue] {
    var all: [String: JSONValue] = ["operationId": .string(operation.name)]
    if !operation.summary.isEmpty { all["summary"] = .string(operation.summary) }
    let text = isGPT ? operation.boundedDescription : operation.wholeDescription
    if !text.isEmpty { all["description"] = .string(text) }
    if operation.deprecation != nil { all["deprecated"] = true }
    if let sunset = operation.deprecation?.sunset { all["x-sunset"] = .string(sunset) }
    let parameters =
      pathParameters(operation, names) + queryParameters(operation)
      + (isGPT ? wordParameters(operation) : sharedParameters(operation))
    if !parameters.isEmpty { all["parameters"] = .array(parameters) }
    if let body = requestBody(operation) { all["requestBody"] = body }
    all["responses"] = .object(responses(operation))
    if isGPT {
      all["x-openai-isConsequential"] = .bool(operation.isConsequential)
      all["security"] = operation.keyNeed == .none ? [] : [["bearer": []]]
      return all
    }
    all["tags"] = [.string(operation.tag)]
    all["security"] = SharedParts.security(operation.keyNeed, operation.scopes, facts.version)
    if !operation.title.isEmpty { all["x-title"] = .string(operation.title) }
    if !operation.scopes.isEmpty { all["x-scopes"] = .array(operation.scopes.map(JSONValue.string)) }
    if let link = operation.deprecation?.link { all["x-deprecation-link"] = .string(link) }
    return all
  }

  // MARK: Bodies

  private mutating func requestBody(_ operation: Described) -> JSONValue? {
    guard let body = operation.body else { return nil }
    var content: [String: JSONValue] = [
      "application/json": media(body, operation.compiled.body, name: operation.name + ".body")
    ]
    for type in operation.bodyAlternatives {
      content[type] = ["schema": facts.version == .v31 ? [:] : ["type": "string", "format": "binary"]]
    }
    return ["required": .bool(operation.isBodyRequired), "content": .object(content)]
  }

  private mutating func media(_ schema: JSONValue, _ compiled: (any CompiledSchema)?, name: String)
    -> JSONValue
  {
    var form = SchemaForm(schema, facts.version, name: name)
    var media: [String: JSONValue] = ["schema": form.schema()]
    keep(form.components())
    if let example = SchemaExample.of(schema, compiled) { media["example"] = example }
    return .object(media)
  }

  mutating func keep(_ components: [(name: String, schema: JSONValue)]) {
    for (name, schema) in components where names.insert(name).inserted {
      schemas.append(",")
      schemas.append(jsonString: name.utf8.span)
      schemas.append(":")
      schemas.append(json: schema)
    }
  }

  private mutating func responses(_ operation: Described) -> [String: JSONValue] {
    var all: [String: JSONValue] = [:]
    for success in operation.successes {
      // The GPT's reader knows single statuses only.
      all[success.status.map(String.init) ?? (isGPT ? "200" : "2XX")] = self.success(operation, success)
    }
    for other in operation.others where !isGPT || Int(other.status) ?? 400 < 400 {
      all[other.status] = answer(other, of: operation)
    }
    if operation.preferences.contains(.async) {
      all["202"] = isGPT ? SharedParts.response(202).without("headers") : shared(202)
    }
    if isGPT {
      all["default"] = ["description": "A problem (RFC 9457).", "content": SharedParts.problemContent]
      return all
    }
    if operation.mayBeUnchanged {
      all["304"] = [
        "description": "What `If-None-Match` names is still so.", "headers": SharedParts.headers(of: 304),
      ]
    }
    for status in operation.refusals { all[String(status)] = shared(status) }
    for status in Set(operation.faults.map(\.status)) {
      let said = operation.faults.filter { $0.status == status }.map { fault in
        "`\(fault.code)`" + (fault.description.isEmpty ? "" : ": \(fault.description)")
      }
      let host = operation.refusals.contains(status) ? [SharedParts.meaning(of: status)] : []
      all[String(status)] = [
        "description": .string((said + host).joined(separator: "\n\n")),
        "headers": SharedParts.headers(of: status), "content": SharedParts.problemContent,
      ]
    }
    return all
  }

  private mutating func headers(of status: Int?, _ operation: Described) -> JSONValue {
    let (isDeprecated, mayBeReplayed) = (operation.deprecation != nil, operation.mayBeReplayed)
    let kind =
      (status ?? 0) << 3 | (isDeprecated ? 4 : 0) | (mayBeReplayed ? 2 : 0) | (operation.isList ? 1 : 0)
    if let known = headers[kind] { return known }
    let made = SharedParts.headers(
      of: status, isDeprecated: isDeprecated, mayBeReplayed: mayBeReplayed, isList: operation.isList)
    headers[kind] = made
    return made
  }

  private mutating func shared(_ status: Int) -> JSONValue {
    statuses.insert(status)
    return SharedParts.reference(to: status)
  }

  private mutating func answer(_ answer: OwnManual.Answer, of operation: Described) -> JSONValue {
    var response: [String: JSONValue] = ["description": .string(answer.description)]
    if !isGPT { response["headers"] = SharedParts.headers(of: Int(answer.status) ?? 200) }
    var content: [String: JSONValue] = [:]
    for (type, schema) in answer.content {
      content[type] =
        type == OwnManual.problem.type
        ? ["schema": schema]
        // Answers of one path share what they define.
        : media(schema, nil, name: "\(operation.name).response")
    }
    if !content.isEmpty { response["content"] = .object(content) }
    return .object(response)
  }

  private mutating func success(_ operation: Described, _ success: Described.Success) -> JSONValue {
    var response: [String: JSONValue] = ["description": "It worked."]
    var content: [String: JSONValue] = [:]
    if !isGPT {
      response["headers"] = headers(of: success.status, operation)
    }
    if let schema = success.schema {
      let isOne = operation.successes.count == 1
      let suffix = isOne ? ".response" : success.status.map { ".response\($0)" } ?? ".response"
      content[operation.responseType] = media(
        schema, operation.compiled.response, name: operation.name + suffix)
    }
    if operation.hasMarkdown, !isGPT { content["text/markdown"] = ["schema": ["type": "string"]] }
    if operation.streams { content[OwnManual.events.type] = ["schema": OwnManual.events.schema] }
    if !content.isEmpty { response["content"] = .object(content) }
    return .object(response)
  }

  // MARK: The whole

  /// The document's bytes.
  func finish(tags: [JSONValue] = []) -> [UInt8] {
    var info: [String: JSONValue] = ["title": .string(facts.title), "version": .string(facts.release)]
    if !facts.description.isEmpty { info["description"] = .string(facts.description) }
    let out = Arena(capacity: paths.count + schemas.count + (16 << 10))
    out.append("{\"openapi\":\"\(facts.version.number)\",\"info\":")
    out.append(json: .object(info))
    out.append(",\"servers\":")
    out.append(json: [["url": .string(facts.server)]])
    if !tags.isEmpty {
      out.append(",\"tags\":")
      out.append(json: .array(tags))
    }
    for (name, value) in facts.more {
      out.append(",")
      out.append(jsonString: name.utf8.span)
      out.append(":")
      out.append(json: value)
    }
    out.append(",\"paths\":{")
    out.append(paths.span(paths.all))
    out.append("},\"components\":{\"schemas\":{")
    out.append(schemas.span(schemas.all))
    out.append("}")
    for (name, value) in shared {
      out.append(",")
      out.append(jsonString: name.utf8.span)
      out.append(":")
      out.append(json: value)
    }
    out.append("}}")
    return Array(out.span(out.all))
  }

  private var shared: [(String, JSONValue)] {
    if isGPT {
      return [("securitySchemes", .object(["bearer": SharedParts.securitySchemes["bearer"] ?? [:]]))]
    }
    let responses = statuses.map { (SharedParts.name(of: $0), SharedParts.response($0)) }
    var all: [(String, JSONValue)] = [
      ("responses", .object(Dictionary(responses) { first, _ in first })), ("headers", SharedParts.headers),
      ("securitySchemes", SharedParts.securitySchemes),
    ]
    if !parameters.isEmpty { all.append(("parameters", .object(parameters))) }
    return all
  }
}

extension JSONValue {
  /// An object without one member.
  func without(_ name: String) -> JSONValue {
    guard case .object(var members) = self else { return self }
    members[name] = nil
    return .object(members)
  }
}

extension Described {
  var keyNeed: OwnRoute.Key { key ?? (scopes.isEmpty ? .none : .required) }

  /// Answers a GET with 304 where the caller has what it would get.
  var mayBeUnchanged: Bool { method == .get && !preferences.isEmpty }

  /// With what a person or a model has to know beside it: what the key must hold, and how long it stays.
  var wholeDescription: String {
    var parts = description.isEmpty ? [] : [description]
    switch scopes.count {
    case 0:
      switch keyNeed {
      case .none: parts.append("Needs no key.")
      case .optional: break
      case .required: parts.append("Needs a key.")
      }
    case 1: parts.append("Needs the scope `\(scopes[0])`.")
    default: parts.append("Needs one of the scopes \(scopes.map { "`\($0)`" }.joined(separator: ", ")).")
    }
    if let deprecation { parts.append(deprecation.text) }
    return parts.joined(separator: "\n\n")
  }

  /// For the GPT: that the operation goes stands first, where no cut takes it away.
  var boundedDescription: String {
    guard let deprecation else { return description }
    let text = deprecation.text + (description.isEmpty ? "" : " " + description)
    guard text.unicodeScalars.count > GPTProfile.maxText else { return text }
    var cut = String.UnicodeScalarView()
    cut.append(contentsOf: text.unicodeScalars.prefix(GPTProfile.maxText - 1))
    return String(cut) + "…"
  }
}

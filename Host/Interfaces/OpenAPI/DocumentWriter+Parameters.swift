import Application
import Domain
import Kernel

// What a request says beside its body: in the path, in the query, in headers.

extension DocumentWriter {
  mutating func pathParameters(_ operation: Described, _ names: [String]) -> [JSONValue] {
    let own = operation.pattern.parameterNames
    let schema = operation.path ?? [:]
    let examples = operation.path.flatMap { SchemaExample.of($0, operation.compiled.path) }
    let declared = SchemaProperties.of(schema)
    var form = SchemaForm(schema, facts.version, name: operation.name + ".path")
    var all: [JSONValue] = []
    for (name, shown) in zip(own, names) {
      var parameter: [String: JSONValue] = ["name": .string(shown), "in": "path", "required": true]
      parameter.merge(
        described(declared[name]?.place, in: schema, &form, fallback: ["type": "string"])
      ) { mine, _ in mine }
      if let example = examples?[name] { parameter["example"] = example }
      all.append(.object(parameter))
    }
    keep(form.components())
    return all
  }

  mutating func queryParameters(_ operation: Described) -> [JSONValue] {
    guard let schema = operation.query else { return [] }
    let declared = SchemaProperties.of(schema)
    let examples = SchemaExample.of(schema, operation.compiled.query)
    var form = SchemaForm(schema, facts.version, name: operation.name + ".query")
    var all: [JSONValue] = []
    for name in declared.keys.sorted() {
      guard let property = declared[name] else { continue }
      var parameter: [String: JSONValue] = ["name": .string(name), "in": "query"]
      if property.isRequired { parameter["required"] = true }
      parameter.merge(described(property.place, in: schema, &form, fallback: [:])) { mine, _ in mine }
      // Pages send what an example says: one that was made up belongs only where something must be sent.
      let place = JSONPointer(steps: property.place).value(in: schema)
      if let example = place.flatMap(SchemaExample.given) ?? (property.isRequired ? examples?[name] : nil) {
        parameter["example"] = example
      }
      all.append(.object(parameter))
    }
    keep(form.components())
    return all
  }

  /// What is the host's on every route stands in one place: a table of 20,000 routes would say it as often.
  mutating func sharedParameters(_ operation: Described) -> [JSONValue] {
    var all = operation.hostParameters.map { share($0.rawValue, SharedParts.parameter($0)) }
    for word in operation.words where word.header != "Prefer" {
      let name = word.header.filter { $0 != "-" } + (word.isRequired ? "Required" : "")
      all.append(share(name, Self.parameter(word, named: word.header, in: "header")))
    }
    if !operation.preferences.isEmpty {
      let (name, parameter) = SharedParts.prefer(operation.preferences)
      all.append(share(name, parameter))
    }
    if operation.mayBeUnchanged { all.append(share("IfNoneMatch", SharedParts.ifNoneMatch)) }
    return all
  }

  private mutating func share(_ name: String, _ parameter: @autoclosure () -> JSONValue) -> JSONValue {
    if parameters[name] == nil { parameters[name] = parameter() }
    return ["$ref": .string("#/components/parameters/\(name)")]
  }

  /// For the GPT, which sends no headers of its own, in the query.
  func wordParameters(_ operation: Described) -> [JSONValue] {
    operation.words.compactMap { word in
      guard let name = word.parameter else { return nil }
      var word = word
      if word.header == "Prefer" {
        word.schema = ["type": "boolean"]
        word.description = "true: answers what would happen, and changes nothing."
      }
      return Self.parameter(word, named: name, in: "query")
    }
  }

  private static func parameter(_ word: Described.Word, named name: String, in place: String) -> JSONValue {
    var parameter: [String: JSONValue] = [
      "name": .string(name), "in": .string(place), "description": .string(word.description),
      "schema": word.schema,
    ]
    if word.isRequired { parameter["required"] = true }
    return .object(parameter)
  }

  /// Schema, description and more of one parameter.
  private func described(
    _ place: [String]?, in root: JSONValue, _ form: inout SchemaForm, fallback: JSONValue
  ) -> [String: JSONValue] {
    guard let place, let original = JSONPointer(steps: place).value(in: root) else {
      return ["schema": plainText(fallback)]
    }
    var schema = form.schema(at: place)
    var all: [String: JSONValue] = [:]
    if let text = original["description"]?.string {
      all["description"] = .string(text)
      schema = schema.without("description")
    }
    if original["deprecated"]?.bool == true { all["deprecated"] = true }
    all["schema"] = plainText(schema.without("example").without("examples"))
    return all
  }

  /// No part of a path or query may hold control characters, whatever a plugin would take. Left out where the schema has
  /// rules of its own about its text, and for the GPT, which has no use for it.
  private func plainText(_ schema: JSONValue) -> JSONValue {
    guard case .object(var members) = schema, members["type"] == "string", !isGPT,
      ["pattern", "enum", "const", "format"].allSatisfy({ members[$0] == nil })
    else { return schema }
    members["pattern"] = #"^[^\x00-\x1f\x7f]*$"#
    return .object(members)
  }
}

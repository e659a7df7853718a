import Application
import Domain
import Kernel

/// The profile of GPT Actions (developers.openai.com, actions/production): texts of bounded length, at most 30 operations
/// in a document, one way to show a key, and which operations are asked about before they run.
enum GPTProfile {
  static let maxOperations = 30
  static let maxText = 300
  static let maxParameterText = 700

  struct Fault {
    /// In the exported document.
    var pointer: String
    var length: Int
    var limit: Int
    /// Where the manifest has the text.
    var automation: String
    var place: String

    var json: JSONValue {
      [
        "pointer": .string(pointer), "length": .integer(Int64(length)), "limit": .integer(Int64(limit)),
        "automation": .string(automation), "manifest_pointer": .string(place),
      ]
    }
  }

  /// One part of the operations, and how many parts there are. A part in which a call may become a job ends with `job`, which
  /// fetches that. Throws `openapi.gpt_limits` (422) with every text that is too long, in whichever part, and
  /// `openapi.no_such_part` (404).
  static func part(
    _ number: Int, of operations: [Described], job: Described? = nil
  ) throws(Problem) -> (operations: [Described], parts: Int) {
    let faults = operations.flatMap(faults)
    if !faults.isEmpty {
      throw Problem(
        422, "openapi.gpt_limits",
        "\(faults.count) text(s) are longer than GPT Actions take. Shorten them in the manifests, and reload.",
        members: ["errors": .array(faults.prefix(100).map(\.json))])
    }
    let parts = split(operations, job)
    guard number <= parts.count else {
      throw Problem(
        404, "openapi.no_such_part", "There are \(parts.count) part(s).",
        members: ["parts": .integer(Int64(parts.count))])
    }
    return (parts[number - 1], parts.count)
  }

  private static func split(_ operations: [Described], _ job: Described?) -> [[Described]] {
    var parts: [[Described]] = []
    var part: [Described] = []
    /// Set once an operation of the part needs it: it takes the place of one.
    var closing: Described?
    for operation in operations {
      let own = operation.preferences.contains(.async) ? job : nil
      if part.count + (closing ?? own == nil ? 1 : 2) > maxOperations {
        parts.append(part + [closing].compactMap(\.self))
        (part, closing) = ([], nil)
      }
      part.append(operation)
      closing = closing ?? own
    }
    return parts + [part + [closing].compactMap(\.self)]
  }

  static func faults(of operation: Described) -> [Fault] {
    var faults: [Fault] = []
    let base = ["paths", operation.template, operation.method.rawValue.lowercased()]
    func check(_ text: String?, _ limit: Int, _ at: [String], _ place: String) {
      guard let count = text?.unicodeScalars.count, count > limit else { return }
      faults.append(
        Fault(
          pointer: JSONPointer.text(base + at), length: count, limit: limit, automation: operation.tag,
          place: operation.place + place))
    }
    check(operation.summary, maxText, ["summary"], "/summary")
    check(operation.description, maxText, ["description"], "/description")
    var number = operation.pattern.parameterNames.count
    for (schema, member) in [(operation.path, "/path_parameters"), (operation.query, "/query")] {
      guard let schema else { continue }
      let declared = SchemaProperties.of(schema)
      for name in declared.keys.sorted() {
        var index = operation.pattern.parameterNames.firstIndex(of: name) ?? -1
        if member == "/query" {
          index = number
          number += 1
        }
        guard index >= 0, let steps = declared[name]?.place else { continue }
        let text = JSONPointer(steps: steps + ["description"]).value(in: schema)?.string
        check(
          text, maxParameterText, ["parameters", String(index), "description"],
          member + JSONPointer.text(steps + ["description"]))
      }
    }
    if let body = operation.body {
      let media = ["requestBody", "content", "application/json", "schema"]
      descriptions(in: body, []) { steps, text in
        check(text, maxParameterText, media + steps, "/body" + JSONPointer.text(steps))
      }
    }
    return faults
  }

  /// Actions call a host over TLS, at port 443. Throws `openapi.server_url` (422) for any other place.
  static func check(server: String) throws(Problem) {
    let scheme = "https://"
    let authority = server.dropFirst(scheme.count).prefix { !"/?#".contains($0) }
    let port = authority.last == "]" ? nil : authority.split(separator: ":").dropFirst().last
    guard server.hasPrefix(scheme), !authority.isEmpty, port == nil || port == "443" else {
      throw Problem(
        422, "openapi.server_url",
        "GPT Actions call a host by its address, over TLS at port 443, and "
          + (server.isEmpty ? "this one does not know its own" : "'\(server.prefix(200))' is none")
          + ": set documents.server_url to https://… .")
    }
  }

  /// The members of a body are parameters, too, for who fills them in.
  private static func descriptions(
    in value: JSONValue, _ steps: [String], _ found: ([String], String) -> Void
  ) {
    switch value {
    case .object(let members):
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        if name == "description", let text = member.string { found(steps + [name], text) }
        switch SchemaPlace(under: name) {
        case .schema: descriptions(in: member, steps + [name], found)
        case .named:
          for (key, schema) in (member.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            descriptions(in: schema, steps + [name, key], found)
          }
        case .value: break
        }
      }
    case .array(let items):
      for (index, item) in items.enumerated() { descriptions(in: item, steps + [String(index)], found) }
    default: break
    }
  }
}

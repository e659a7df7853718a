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

  /// One part of the operations, and how many parts there are. Throws `openapi.gpt_limits` (422) with every text that is
  /// too long, in whichever part, and `openapi.no_such_part` (404).
  static func part(
    _ number: Int, of operations: [Described]
  ) throws(Problem) -> (operations: [Described], parts: Int) {
    let faults = operations.flatMap(faults)
    if !faults.isEmpty {
      throw Problem(
        422, "openapi.gpt_limits",
        "\(faults.count) text(s) are longer than GPT Actions take. Shorten them in the manifests, and reload.",
        members: ["errors": .array(faults.prefix(100).map(\.json))])
    }
    let parts = max(1, (operations.count + maxOperations - 1) / maxOperations)
    guard number <= parts else {
      throw Problem(
        404, "openapi.no_such_part", "There are \(parts) part(s).", members: ["parts": .integer(Int64(parts))]
      )
    }
    let start = (number - 1) * maxOperations
    return (Array(operations[start..<min(start + maxOperations, operations.count)]), parts)
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
      let declared = DocumentWriter.properties(of: schema)
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

  /// The members of a body are parameters, too, for who fills them in.
  private static func descriptions(
    in value: JSONValue, _ steps: [String], _ found: ([String], String) -> Void
  ) {
    switch value {
    case .object(let members):
      for name in members.keys.sorted() {
        guard let member = members[name] else { continue }
        if name == "description", let text = member.string { found(steps + [name], text) }
        descriptions(in: member, steps + [name], found)
      }
    case .array(let items):
      for (index, item) in items.enumerated() { descriptions(in: item, steps + [String(index)], found) }
    default: break
    }
  }
}

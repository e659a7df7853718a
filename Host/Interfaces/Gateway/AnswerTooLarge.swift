import Application
import Domain
import Kernel

extension Gateway {
  /// The problem in the place of an answer that is over its budget and cannot be cut: how large it is, what it may be, and
  /// how to ask for less. `isDryRun`: the handler ran, and nothing of what it did is left. `isWhole`: the
  /// size is that of all of it.
  static func tooLarge(
    _ size: AnswerBudget.Size, _ source: AnswerBudget.Source, _ budget: AnswerBudget, _ route: LiveRoute,
    namesFields: Bool, page: Int?, isDryRun: Bool, isWhole: Bool
  ) -> Problem {
    let mayRepeat = route.declaration.method == .get || isDryRun
    var hints: [String] = []
    if mayRepeat, route.outline.parameters.contains(.fields), !namesFields {
      if case .closed(let names) = route.outline.names {
        hints.append("name the fields you need with 'fields': \(names.keys.sorted().joined(separator: ","))")
      } else {
        hints.append("name the fields you need with 'fields'")
      }
    }
    if mayRepeat, route.outline.smallestPage != nil, let page, page > 1 {
      hints.append("ask for fewer records with 'limit'")
    }
    switch source {
    case .maxBytes, .maxCharacters, .maxTokens: hints.append("raise \(source.rawValue)")
    case .key: hints.append("use a key with a larger answer_limit")
    case .host: break
    }
    let unit = source.unit
    let allowed = budget.allowance(source)
    if mayRepeat, hints.isEmpty {
      hints.append(
        "ask for less with the route's own parameters, or have an admin raise answers.max_characters")
    }
    let done =
      mayRepeat
      ? ""
      : " The request was carried out: do not send it again. Read what it changed with a call that only reads."
    let what = page == 1 ? "The next record alone makes the answer" : "The answer is"
    // In their unit: with what the protocol puts around it.
    let characters = source == .key || source == .host ? size.sent + budget.envelope.frame : size.characters
    return Problem(
      413, "answer.too_large",
      "\(what)\(isWhole ? "" : " at least") \(characters) characters long (\(size.bytes) bytes, about \(size.tokens) tokens); \(source.rawValue) allows \(allowed) \(unit).\(done)"
        + (hints.isEmpty || !mayRepeat ? "" : " To get it: \(hints.joined(separator: "; or "))."),
      members: [
        "characters": .integer(Int64(characters)), "bytes": .integer(Int64(size.bytes)),
        "tokens": .integer(Int64(size.tokens)), "limited_by": .string(source.rawValue),
        "allowed": .integer(Int64(allowed)), "hints": .array(mayRepeat ? hints.map(JSONValue.string) : []),
        "carried_out": .bool(!mayRepeat),
      ])
  }
}

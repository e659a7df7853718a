import Kernel

/// A value that a schema states, for `const` and `enum`.
enum Constant: BitwiseCopyable, Sendable {
  case null
  case bool(Bool)
  case number(JSONNumber)
  case string(offset: Int32, count: Int32)
  /// Indices of constants, in the table of children.
  case array(Program.IndexRange)
  /// Names with indices of constants as values.
  case object(NameTable)
}

/// The values that `const` or `enum` allows.
struct Choices: BitwiseCopyable, Sendable {
  var keyword: ChoiceKeyword
  /// Strings are found by hash, however many there are.
  var strings: NameTable
  /// All the others, as indices of constants in the table of children.
  var others: Program.IndexRange
}

extension Program {
  func allows(_ choices: Choices, _ element: JSONElement) -> Bool {
    if let text = element.utf8 { return find(text, in: choices.strings) >= 0 }
    for index in choices.others.indices where isEqual(tables.constants[tables.children[index]], element) {
      return true
    }
    return false
  }

  /// Bounded by the depth of the constant, which the compiler bounds.
  private func isEqual(_ constant: Constant, _ element: JSONElement) -> Bool {
    switch (constant, element.kind) {
    case (.null, .null): return true
    case (.bool(let a), .bool(let b)): return a == b
    case (.number(let a), let kind):
      guard let b = JSONNumber(kind) else { return false }
      return a == b
    case (.string(let offset, let count), .string):
      guard let text = element.utf8, text.count == Int(count) else { return false }
      return tables.bytes.holds(text, at: Int(offset))
    case (.array(let range), .array):
      guard element.count == Int(range.count) else { return false }
      var elements = element.elements
      var index = Int(range.start)
      while elements.next() {
        guard isEqual(tables.constants[tables.children[index]], elements.value) else { return false }
        index += 1
      }
      return true
    case (.object(let names), .object):
      // Keys that repeat, which would satisfy this count, are a violation elsewhere.
      guard element.count == Int(names.entries.count) else { return false }
      var members = element.members
      while members.next() {
        let entry = find(members.key, in: names)
        guard entry >= 0, isEqual(tables.constants[tables.entries[entry].value], members.value) else {
          return false
        }
      }
      return true
    default: return false
    }
  }
}

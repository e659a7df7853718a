package import Kernel

/// A place in a JSON document (RFC 6901). Where places are matched, `*` stands for any one member or element.
package struct JSONPointer: Sendable, Equatable {
  package var steps: [String]

  /// nil for text that is no pointer: it is empty, or starts with `/`.
  package init?(_ text: String) {
    guard text.isEmpty || text.hasPrefix("/") else { return nil }
    steps = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map {
      JSONPointer.unescaped($0)
    }
  }

  package init(steps: [String]) { self.steps = steps }

  package func value(in document: JSONValue) -> JSONValue? {
    var value = document
    for step in steps {
      switch value {
      case .object(let members):
        guard let next = members[step] else { return nil }
        value = next
      case .array(let items):
        guard let index = Int(step), items.indices.contains(index) else { return nil }
        value = items[index]
      default: return nil
      }
    }
    return value
  }

  /// Whether a place is this one, or below it.
  package func covers(_ place: [String]) -> Bool {
    place.count >= steps.count && zip(steps, place).allSatisfy { $0 == "*" || $0 == $1 }
  }

  package static func text(_ steps: [String]) -> String {
    steps.map { "/" + escaped($0) }.joined()
  }

  private static func escaped(_ step: String) -> String {
    var text = ""
    for character in step {
      switch character {
      case "~": text += "~0"
      case "/": text += "~1"
      default: text.append(character)
      }
    }
    return text
  }

  private static func unescaped(_ step: Substring) -> String {
    var text = ""
    var rest = step
    while let character = rest.popFirst() {
      guard character == "~" else {
        text.append(character)
        continue
      }
      switch rest.popFirst() {
      case "0": text += "~"
      case "1": text += "/"
      case let other: text += "~" + (other.map(String.init) ?? "")
      }
    }
    return text
  }
}

package import Kernel

/// Which members of an answer a caller wants: `fields=name,owner.email`.
package struct FieldSelection: Sendable, Equatable {
  /// Of the whole text, in Unicode scalars.
  package static let maxCharacters = 2048
  package static let maxNames = 100
  package static let maxDepth = 8

  /// Of one member: nil keeps it whole.
  package struct Member: Sendable, Equatable {
    package var name: [UInt8]
    package var below: FieldSelection?
  }

  package private(set) var members: [Member] = []

  /// Throws for a text that is too long, for an empty name, for too many of them, and for a path that is too deep; the text
  /// says which.
  package init(_ text: Span<UInt8>) throws(Fault) {
    var count = 0
    let text = String(text)
    guard text.unicodeScalars.count <= FieldSelection.maxCharacters else {
      throw Fault("is longer than \(FieldSelection.maxCharacters) characters")
    }
    for path in text.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = path.split(separator: ".", omittingEmptySubsequences: false).map { part in
        Array(part.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ").utf8)
      }
      count += 1
      guard count <= FieldSelection.maxNames else {
        throw Fault("names more than \(FieldSelection.maxNames) fields")
      }
      guard parts.count <= FieldSelection.maxDepth else {
        throw Fault("has a path of more than \(FieldSelection.maxDepth) names")
      }
      guard parts.allSatisfy({ !$0.isEmpty }) else {
        throw Fault("must be names separated by commas, with dots for nested ones: id,name,owner.email")
      }
      add(parts[...])
    }
  }

  private init() {}

  package struct Fault: Error {
    package let reason: String
    init(_ reason: String) { self.reason = reason }
  }

  private mutating func add(_ path: ArraySlice<[UInt8]>) {
    guard let name = path.first else { return }
    let rest = path.dropFirst()
    if let index = members.firstIndex(where: { $0.name == name }) {
      // `owner,owner.email`: the whole of it includes the part.
      if rest.isEmpty { members[index].below = nil } else { members[index].below?.add(rest) }
      return
    }
    var below: FieldSelection?
    if !rest.isEmpty {
      below = FieldSelection()
      below?.add(rest)
    }
    members.append(Member(name: name, below: below))
  }

  // MARK: Writing

  private static let id = Array("id".utf8)

  /// Appends the object that `value` is with the wanted members and its `id`, and the objects of an array likewise; any
  /// other value whole.
  package func write(
    _ value: Range<Int>, of text: Span<UInt8>, to arena: Arena, keepsID: Bool = true
  ) {
    switch JSONText.first(value, text) {
    case UInt8(ascii: "{"):
      arena.append(UInt8(ascii: "{"))
      var isFirst = true
      for member in JSONText.members(of: value, in: text) {
        let wanted = members.first { JSONText.key(member.key, in: text, is: $0.name.span) }
        guard wanted != nil || keepsID && JSONText.key(member.key, in: text, is: FieldSelection.id.span)
        else {
          continue
        }
        if !isFirst { arena.append(UInt8(ascii: ",")) }
        isFirst = false
        arena.append(text.extracting(member.key.lowerBound - 1..<member.key.upperBound + 1))
        arena.append(UInt8(ascii: ":"))
        if let below = wanted?.below {
          below.write(member.value, of: text, to: arena, keepsID: false)
        } else {
          arena.append(text.extracting(member.value))
        }
      }
      arena.append(UInt8(ascii: "}"))
    case UInt8(ascii: "["):
      arena.append(UInt8(ascii: "["))
      for (index, element) in JSONText.elements(of: value, in: text).enumerated() {
        if index > 0 { arena.append(UInt8(ascii: ",")) }
        write(element, of: text, to: arena, keepsID: keepsID)
      }
      arena.append(UInt8(ascii: "]"))
    default: arena.append(text.extracting(value))
    }
  }
}

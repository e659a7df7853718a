import Application
import Kernel

/// JSON bodies of admins: what is misspelt or said twice is refused, never guessed.
enum StrictJSON {
  /// Throws `request.json_invalid` (400), also for an object that repeats a member.
  static func parse(
    _ bytes: Span<UInt8>, maxDepth: Int = JSONDocument.defaultMaxDepth
  ) throws(Problem) -> JSONValue {
    let document = JSONDocument(maxDepth: maxDepth)
    do throws(JSONError) { try document.parse(bytes) } catch {
      throw Problem(400, "request.json_invalid", "The body is not valid JSON: \(error.explanation)")
    }
    if let name = repeated(document.root) {
      throw Problem(400, "request.json_invalid", "The body repeats the member '\(name)'.")
    }
    return JSONValue(document.root)
  }

  /// As deep as the parser lets a document be.
  private static func repeated(_ element: borrowing JSONElement) -> String? {
    switch element.kind {
    case .object:
      var seen: Set<String> = []
      var members = element.members
      while members.next() {
        let name = String(members.key)
        if !seen.insert(name).inserted { return name }
        if let inner = repeated(members.value) { return inner }
      }
    case .array:
      var elements = element.elements
      while elements.next() { if let inner = repeated(elements.value) { return inner } }
    default: break
    }
    return nil
  }
}

/// The members of one JSON object, taken one by one; what is wrong is collected, and thrown once.
struct Members {
  private let values: [String: JSONValue]
  private let pointer: String
  private(set) var faults: [Fault] = []

  struct Fault {
    var pointer: String
    var message: String
  }

  /// Throws `request.body_invalid` (422) when the body is none or no object; without a body, an empty object when
  /// `optional`.
  init(_ body: AdminRequest.Body, optional: Bool = false, known: [String]) throws(Problem) {
    switch body {
    case .json(.object(let members)): self.init(members, at: "", known: known)
    case .none where optional: self.init([:], at: "", known: known)
    case .none: throw Problem(400, "request.body_missing", "This needs a JSON body.")
    case .json: throw Problem(422, "request.body_invalid", "The body must be a JSON object.")
    case .upload: throw Problem(415, "request.media_type", "The body must be application/json.")
    }
  }

  private init(_ members: [String: JSONValue], at pointer: String, known: [String]) {
    values = members
    self.pointer = pointer
    for name in members.keys.sorted() where !known.contains(name) {
      faults.append(
        Fault(
          pointer: "\(pointer)/\(name)", message: "is not known here; known: \(known.joined(separator: ", "))"
        ))
    }
  }

  func has(_ name: String) -> Bool { values[name] != nil }

  subscript(name: String) -> JSONValue? { values[name] }

  mutating func fault(_ name: String, _ message: String) {
    faults.append(Fault(pointer: "\(pointer)/\(name)", message: message))
  }

  mutating func text(_ name: String, max: Int, required: Bool = false) -> String? {
    guard let value = values[name] else {
      if required { fault(name, "is missing") }
      return nil
    }
    guard let text = value.string, !(required && text.isEmpty), text.utf8.count <= max,
      text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
    else {
      fault(name, "must be a string of at most \(max) bytes without control characters")
      return nil
    }
    return text
  }

  mutating func flag(_ name: String) -> Bool? {
    guard let value = values[name] else { return nil }
    guard let flag = value.bool else {
      fault(name, "must be true or false")
      return nil
    }
    return flag
  }

  mutating func texts(_ name: String, count: ClosedRange<Int>, max: Int) -> [String] {
    let items = values[name]?.array ?? []
    let texts = items.compactMap(\.string).filter { $0.utf8.count <= max }
    guard texts.count == items.count, count.contains(items.count) else {
      fault(name, "must be an array of \(count.lowerBound) to \(count.upperBound) strings")
      return []
    }
    return texts
  }

  mutating func whole(_ name: String, in range: ClosedRange<Int>, required: Bool = false) -> Int? {
    guard let value = values[name] else {
      if required { fault(name, "is missing") }
      return nil
    }
    guard let number = value.integer, range.contains(Int(number)) else {
      fault(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return Int(number)
  }

  /// The members of an object inside; nil when it is not there.
  mutating func object(
    _ name: String, known: [String], _ read: (inout Members) -> Void
  ) {
    guard let value = values[name] else { return }
    guard let members = value.object else { return fault(name, "must be an object") }
    var inner = Members(members, at: "\(pointer)/\(name)", known: known)
    read(&inner)
    faults += inner.faults
  }

  /// The objects of an array, in order.
  mutating func each(
    _ name: String, known: [String], _ read: (inout Members) throws(Problem) -> Void
  ) throws(Problem) {
    guard let items = values[name]?.array else { return fault(name, "must be an array of objects") }
    for (index, item) in items.enumerated() {
      guard let members = item.object else {
        fault("\(name)/\(index)", "must be an object")
        continue
      }
      var inner = Members(members, at: "\(pointer)/\(name)/\(index)", known: known)
      try read(&inner)
      faults += inner.faults
    }
  }

  /// Throws `request.body_invalid` (422) that lists every fault.
  func check() throws(Problem) {
    guard let first = faults.first else { return }
    throw Problem(
      422, "request.body_invalid", "\(first.pointer) \(first.message).",
      members: [
        "errors": .array(
          faults.map { ["pointer": .string($0.pointer), "message": .string($0.message)] })
      ])
  }
}

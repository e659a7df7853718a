import Kernel

/// A YAML value with the line it stands on.
struct YAMLNode {
  enum Content {
    case scalar(JSONValue)
    case sequence([YAMLNode])
    case mapping([(key: String, line: Int, value: YAMLNode)])
  }
  var content: Content
  var line: Int
}

/// What is wrong with a file, and where.
struct YAMLFault: Error {
  var line: Int
  var reason: String
}

/// Builds one document from libyaml's events: YAML 1.2's core schema for plain scalars (`no` is text, `0o17` a
/// number), no anchors, no aliases, no tags, no duplicate keys.
struct YAMLReader {
  static let maxDepth = 16
  static let maxNodes = 10_000

  private let events: YAMLEvents
  private var nodes = 0

  static func read(_ bytes: [UInt8]) throws(YAMLFault) -> YAMLNode {
    var reader = YAMLReader(events: try YAMLEvents(bytes))
    return try reader.document()
  }

  private init(events: YAMLEvents) { self.events = events }

  private mutating func document() throws(YAMLFault) -> YAMLNode {
    let first = try events.next()
    // An empty file sets nothing.
    if case .end = first.kind { return YAMLNode(content: .mapping([]), line: 1) }
    let root = try node(first, depth: 1)
    let last = try events.next()
    guard case .end = last.kind else {
      throw YAMLFault(line: last.line, reason: "a second document begins here")
    }
    return root
  }

  private mutating func node(_ event: YAMLEvents.Event, depth: Int) throws(YAMLFault) -> YAMLNode {
    nodes += 1
    guard nodes <= YAMLReader.maxNodes else {
      throw YAMLFault(line: event.line, reason: "more than \(YAMLReader.maxNodes) values")
    }
    guard depth <= YAMLReader.maxDepth else {
      throw YAMLFault(line: event.line, reason: "more than \(YAMLReader.maxDepth) levels deep")
    }
    switch event.kind {
    case .scalar(let text, let isPlain):
      return YAMLNode(content: .scalar(isPlain ? CoreScalar.read(text) : .string(text)), line: event.line)
    case .sequenceStart:
      var items: [YAMLNode] = []
      while true {
        let next = try events.next()
        if case .close = next.kind { return YAMLNode(content: .sequence(items), line: event.line) }
        items.append(try node(next, depth: depth + 1))
      }
    case .mappingStart:
      var members: [(key: String, line: Int, value: YAMLNode)] = []
      while true {
        let next = try events.next()
        if case .close = next.kind { return YAMLNode(content: .mapping(members), line: event.line) }
        guard case .scalar(let key, _) = next.kind else {
          throw YAMLFault(line: next.line, reason: "a key must be text")
        }
        if members.contains(where: { $0.key == key }) {
          throw YAMLFault(line: next.line, reason: "the key '\(key)' stands here for the second time")
        }
        members.append((key, next.line, try node(try events.next(), depth: depth + 1)))
      }
    case .close, .end: throw YAMLFault(line: event.line, reason: "a value is missing")
    }
  }
}

/// Plain scalars by the core schema (YAML 1.2.2, section 10.3).
enum CoreScalar {
  static func read(_ text: String) -> JSONValue {
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    default: break
    }
    if text.hasPrefix("0o"), let number = Int64(text.dropFirst(2), radix: 8) { return .integer(number) }
    if text.hasPrefix("0x"), let number = Int64(text.dropFirst(2), radix: 16) { return .integer(number) }
    guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first),
      text.utf8.allSatisfy({ "+-.0123456789eE".utf8.contains($0) })
    else { return .string(text) }
    if let number = Int64(text) { return .integer(number) }
    if let number = Double(text), number.isFinite { return .number(number) }
    return .string(text)
  }
}

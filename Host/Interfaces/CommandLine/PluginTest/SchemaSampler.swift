import Application
import Kernel

/// Values for a JSON Schema: made by its keywords, then judged by the schema itself, for making them is only a guess.
struct SchemaSampler {
  private static let attempts = 40
  private static let maxDepth = 12
  /// What one value may grow to, whatever the schema allows.
  private static let maxText = 2000
  private static let maxItems = 20

  let schema: JSONValue
  private let compiled: any CompiledSchema

  /// Throws what the compiler says of the schema.
  init(_ schema: JSONValue, _ compiler: any SchemaCompiler) throws(Problem) {
    self.schema = schema
    compiled = try compiler.compile(schema)
  }

  /// A value that the schema takes; nil when none was found.
  func valid(_ random: inout SeededNumbers) -> JSONValue? {
    for _ in 0..<SchemaSampler.attempts {
      if let value = make(schema, &random, 0), accepts(value) { return value }
    }
    return nil
  }

  func accepts(_ value: JSONValue) -> Bool { violations(JSON.encode(value))?.isEmpty ?? false }

  /// What is wrong with a document; nil for one that is no JSON.
  func violations(_ bytes: [UInt8]) -> [SchemaViolation]? {
    let document = JSONDocument()
    do throws(JSONError) { try document.parse(bytes.span) } catch { return nil }
    return compiled.validate(document.root, limit: 3)
  }

  // MARK: By the keywords

  private func make(_ schema: JSONValue, _ random: inout SeededNumbers, _ depth: Int) -> JSONValue? {
    guard depth < SchemaSampler.maxDepth else { return nil }
    switch schema {
    case .bool(let takesAll): return takesAll ? anything(&random, depth) : nil
    case .object(let members): return make(flattened(members, &random, 0), &random, depth)
    default: return nil
    }
  }

  /// `$ref`, `allOf` and one branch of `anyOf` and `oneOf` put into the schema that has them.
  private func flattened(
    _ members: [String: JSONValue], _ random: inout SeededNumbers, _ depth: Int
  ) -> [String: JSONValue] {
    guard depth < SchemaSampler.maxDepth else { return members }
    var all = members
    var parts: [JSONValue] = []
    if let reference = all.removeValue(forKey: "$ref")?.string, let target = resolve(reference) {
      parts.append(target)
    }
    parts += all.removeValue(forKey: "allOf")?.array ?? []
    for name in ["anyOf", "oneOf"] {
      if let branches = all.removeValue(forKey: name)?.array, !branches.isEmpty {
        parts.append(random.pick(branches))
      }
    }
    for part in parts {
      guard case .object(let more) = part else { continue }
      all.merge(flattened(more, &random, depth + 1)) { mine, other in SchemaSampler.merge(mine, other) }
    }
    return all
  }

  private static func merge(_ mine: JSONValue, _ other: JSONValue) -> JSONValue {
    switch (mine, other) {
    case (.object(let a), .object(let b)): .object(a.merging(b) { merge($0, $1) })
    case (.array(let a), .array(let b)): .array(a + b.filter { !a.contains($0) })
    default: other
    }
  }

  private func resolve(_ reference: String) -> JSONValue? {
    guard reference.hasPrefix("#") else { return nil }
    var found = schema
    for part in reference.dropFirst().split(separator: "/") {
      let name = part.replacing("~1", with: "/").replacing("~0", with: "~")
      guard
        let next = found[String(name)]
          ?? Int(name).flatMap({ index in found.array.flatMap { $0.indices.contains(index) ? $0[index] : nil }
          })
      else { return nil }
      found = next
    }
    return found
  }

  private func make(
    _ members: [String: JSONValue], _ random: inout SeededNumbers, _ depth: Int
  ) -> JSONValue? {
    if let constant = members["const"] { return constant }
    if let choices = members["enum"]?.array, !choices.isEmpty { return random.pick(choices) }
    switch type(members, &random) {
    case "null": return .null
    case "boolean": return .bool(random.chance(50))
    case "integer": return integer(members, &random)
    case "number": return number(members, &random)
    case "string": return text(members, &random).map(JSONValue.string)
    case "array": return array(members, &random, depth)
    case "object": return object(members, &random, depth)
    default: return anything(&random, depth)
    }
  }

  private func type(_ members: [String: JSONValue], _ random: inout SeededNumbers) -> String? {
    switch members["type"] {
    case .string(let name): return name
    case .array(let names): return random.pick(names).string
    default: break
    }
    for (name, keywords) in [
      ("object", ["properties", "required", "additionalProperties", "minProperties"]),
      ("array", ["items", "prefixItems", "minItems", "maxItems"]),
      ("string", ["minLength", "maxLength", "pattern", "format"]),
      ("number", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
    ] where keywords.contains(where: { members[$0] != nil }) {
      return name
    }
    return nil
  }

  private func anything(_ random: inout SeededNumbers, _ depth: Int) -> JSONValue {
    switch Int.random(in: 0..<6, using: &random) {
    case 0: .null
    case 1: .bool(random.chance(50))
    case 2: .integer(Int64.random(in: -1000...1000, using: &random))
    case 3: .array([])
    case 4: .object([:])
    default: .string(Texts.plain(Int.random(in: 0...12, using: &random), &random))
    }
  }

  // MARK: Scalars

  private func integer(_ members: [String: JSONValue], _ random: inout SeededNumbers) -> JSONValue? {
    // Beyond 2^53 not every reader of JSON sees the same number.
    let edge: Int64 = 1 << 53
    var low = members["minimum"].flatMap(SchemaSampler.whole) ?? -edge
    var high = members["maximum"].flatMap(SchemaSampler.whole) ?? edge
    if let bound = members["exclusiveMinimum"].flatMap(SchemaSampler.whole) { low = max(low, bound + 1) }
    if let bound = members["exclusiveMaximum"].flatMap(SchemaSampler.whole) { high = min(high, bound - 1) }
    guard low <= high else { return nil }
    let step = members["multipleOf"]?.integer ?? 1
    var value =
      switch Int.random(in: 0..<6, using: &random) {
      case 0: low
      case 1: high
      case 2: min(high, max(low, 0))
      case 3: min(high, max(low, Int64.random(in: -100...100, using: &random)))
      default: Int64.random(in: low...high, using: &random)
      }
    if step > 1 { value -= value % step }
    return .integer(value)
  }

  private static func whole(_ value: JSONValue) -> Int64? {
    switch value {
    case .integer(let number): min(max(number, -(1 << 62)), 1 << 62)
    case .number(let number): abs(number) < 9e18 ? Int64(number) : nil
    default: nil
    }
  }

  private func number(_ members: [String: JSONValue], _ random: inout SeededNumbers) -> JSONValue? {
    if members["multipleOf"] != nil || random.chance(30) { return integer(members, &random) }
    func bound(_ name: String) -> Double? {
      switch members[name] {
      case .integer(let number): Double(number)
      case .number(let number): number
      default: nil
      }
    }
    let low = bound("minimum") ?? bound("exclusiveMinimum") ?? -1e6
    let high = bound("maximum") ?? bound("exclusiveMaximum") ?? max(1e6, low)
    guard low <= high, low.isFinite, high.isFinite, (high - low).isFinite else { return nil }
    return .number(low == high ? low : Double.random(in: low...high, using: &random))
  }

  private func text(_ members: [String: JSONValue], _ random: inout SeededNumbers) -> String? {
    let least = Int(members["minLength"]?.integer ?? 0)
    let most = Int(members["maxLength"]?.integer ?? Int64(max(least, 24)))
    guard least <= most, least <= 100_000 else { return nil }
    if let pattern = members["pattern"]?.string { return PatternSampler(pattern)?.sample(&random) }
    if let format = members["format"]?.string, let text = Texts.of(format: format, &random) { return text }
    return Texts.plain(random.count(least...max(least, min(most, SchemaSampler.maxText))), &random)
  }

  // MARK: Containers

  private func array(_ members: [String: JSONValue], _ random: inout SeededNumbers, _ depth: Int)
    -> JSONValue?
  {
    let prefix = members["prefixItems"]?.array ?? []
    let least = Int(members["minItems"]?.integer ?? 0)
    let most = Int(members["maxItems"]?.integer ?? Int64(max(least, 5)))
    guard least <= most, least <= 1000 else { return nil }
    let count = random.count(least...max(least, min(most, SchemaSampler.maxItems)))
    var items: [JSONValue] = []
    for index in 0..<count {
      let schema =
        index < prefix.count ? prefix[index] : members["items"] ?? members["contains"] ?? .bool(true)
      guard let item = make(schema, &random, depth + 1) else {
        return items.count >= least ? .array(items) : nil
      }
      if members["uniqueItems"]?.bool == true, items.contains(item) { continue }
      items.append(item)
    }
    return .array(items)
  }

  private func object(_ members: [String: JSONValue], _ random: inout SeededNumbers, _ depth: Int)
    -> JSONValue?
  {
    let properties = members["properties"]?.object ?? [:]
    let required = Set((members["required"]?.array ?? []).compactMap(\.string))
    var made: [String: JSONValue] = [:]
    let share = random.pick([0, 50, 100])
    for name in Set(properties.keys).union(required).sorted() {
      guard required.contains(name) || random.chance(share) else { continue }
      if let value = make(properties[name] ?? .bool(true), &random, depth + 1) {
        made[name] = value
      } else if required.contains(name) {
        return nil
      }
    }
    let least = Int(members["minProperties"]?.integer ?? 0)
    let more = members["additionalProperties"] ?? .bool(true)
    var number = 0
    while made.count < least, number < 1000 {
      number += 1
      guard let value = make(more, &random, depth + 1) else { return nil }
      made["more_\(number)"] = value
    }
    return .object(made)
  }
}

/// Texts that programs get wrong, beside those they get right.
enum Texts {
  private static let hard: [Character] = Array("\"\\/<>&'%{}\u{1}\t\n ö€漢🙂\u{301}\u{FEFF}\u{202E}")
  private static let easy: [Character] = Array(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_ ")

  /// So many code points.
  static func plain(_ count: Int, _ random: inout SeededNumbers) -> String {
    let isHard = random.chance(30)
    var text = ""
    for _ in 0..<count {
      text.append(isHard && random.chance(30) ? random.pick(hard) : random.pick(easy))
    }
    return text
  }

  static func of(format: String, _ random: inout SeededNumbers) -> String? {
    func two(_ range: ClosedRange<Int>) -> String {
      let number = Int.random(in: range, using: &random)
      return number < 10 ? "0\(number)" : "\(number)"
    }
    func letters(_ count: Int) -> String {
      String((0..<count).map { _ in random.pick(Array(easy.prefix(26))) })
    }
    func date() -> String { "\(Int.random(in: 1900...2100, using: &random))-\(two(1...12))-\(two(1...28))" }
    func time() -> String {
      "\(two(0...23)):\(two(0...59)):\(two(0...59))\(random.pick(["Z", "+02:00", ".125Z"]))"
    }
    switch format {
    case "date-time": return date() + "T" + time()
    case "date": return date()
    case "time": return time()
    case "duration": return random.pick(["P1D", "PT5M", "P3DT4H", "P1Y2M", "PT0S", "P4W"])
    case "email", "idn-email": return letters(6) + "@example.com"
    case "hostname": return letters(4) + ".example.com"
    case "ipv4":
      return (0..<4).map { _ in String(Int.random(in: 0...255, using: &random)) }.joined(separator: ".")
    case "ipv6": return random.pick(["::1", "2001:db8::1", "fe80::1", "::ffff:192.0.2.1"])
    case "uri", "iri": return "https://example.com/" + letters(5)
    case "uri-reference", "iri-reference": return "/" + letters(5)
    case "uri-template": return "/" + letters(4) + "/{id}"
    case "uuid":
      return UUIDv7.make(
        at: Timestamp(microseconds: Int64.random(in: 0...4_000_000_000_000_000, using: &random)))
    case "json-pointer": return "/" + letters(3) + "/0"
    case "relative-json-pointer": return "1/" + letters(3)
    case "regex": return "^[a-z]+$"
    default: return nil
    }
  }
}

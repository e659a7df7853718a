import Application
import Kernel

/// Changes that make a value wrong, or strange.
enum Mutations {
  /// Bytes of a body made from a good one. Most break its schema; what comes out is judged again.
  static func body(_ value: JSONValue, _ random: inout SeededNumbers) -> [UInt8] {
    var bytes = JSON.encode(random.chance(75) ? changed(value, &random) : value)
    guard random.chance(25), !bytes.isEmpty else { return bytes }
    let place = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<7, using: &random) {
    case 0: bytes.removeLast(bytes.count - place)
    case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
    case 2: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 9)], at: place)
    case 3: bytes += Array("}".utf8)
    case 4: bytes = Array("[NaN,1e999,0x1]".utf8)
    case 5: bytes = Array("{\"a\":1,\"a\":2}".utf8)
    default: bytes.insert(contentsOf: [0xC0, 0x80], at: place)
    }
    return bytes
  }

  /// The value with one place in it changed.
  static func changed(_ value: JSONValue, _ random: inout SeededNumbers, _ depth: Int = 0) -> JSONValue {
    switch value {
    case .object(var members) where !members.isEmpty && depth < 8 && random.chance(70):
      let name = random.pick(members.keys.sorted())
      switch Int.random(in: 0..<4, using: &random) {
      case 0: members[name] = nil
      case 1: members["unexpected_\(Int.random(in: 0...9, using: &random))"] = other(&random)
      default: members[name] = changed(members[name] ?? .null, &random, depth + 1)
      }
      return .object(members)
    case .array(var items) where !items.isEmpty && depth < 8 && random.chance(60):
      let index = Int.random(in: 0..<items.count, using: &random)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: items.remove(at: index)
      case 1: items += Array(repeating: items[index], count: random.pick([1, 10, 300]))
      default: items[index] = changed(items[index], &random, depth + 1)
      }
      return .array(items)
    case .string(let text) where random.chance(50):
      return .string(
        random.pick(["", text + text, text + "\u{0}", String(repeating: "é", count: 5000), text.uppercased()])
      )
    case .integer(let number) where random.chance(50):
      return random.pick([
        .integer(number &+ 1), .integer(-number), .integer(.max), .integer(.min),
        .number(Double(number) + 0.5),
        .number(1e300),
      ])
    default: return other(&random)
    }
  }

  private static func other(_ random: inout SeededNumbers) -> JSONValue {
    random.pick([
      .null, true, false, 0, -1, .integer(.max), .number(1.5), "", "x", "null",
      .string(String(repeating: "A", count: 3000)),
      [], [:], .array([[], [:]]), ["a": .null],
    ])
  }
}

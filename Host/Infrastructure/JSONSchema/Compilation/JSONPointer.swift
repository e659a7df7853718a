import Kernel

/// JSON Pointer (RFC 6901). By bytes, since Swift would take `~` and a combining mark after it for one character.
enum JSONPointer {
  static func appending(_ token: String, to pointer: String) -> String {
    pointer + "/" + escape(token.utf8)
  }

  static func escape(_ token: some Sequence<UInt8>) -> String {
    var bytes: [UInt8] = []
    for byte in token {
      switch byte {
      case UInt8(ascii: "~"): bytes += "~0".utf8
      case UInt8(ascii: "/"): bytes += "~1".utf8
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The tokens of a pointer, unescaped; nil when it is none.
  static func tokens(_ pointer: String) -> [String]? {
    var rest = pointer.utf8[...]
    if rest.isEmpty { return [] }
    guard rest.popFirst() == UInt8(ascii: "/") else { return nil }
    var tokens: [String] = []
    var token: [UInt8] = []
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "/"):
        tokens.append(String(decoding: token, as: UTF8.self))
        token = []
      case UInt8(ascii: "~"):
        switch rest.popFirst() {
        case UInt8(ascii: "0"): token.append(UInt8(ascii: "~"))
        case UInt8(ascii: "1"): token.append(UInt8(ascii: "/"))
        default: return nil
        }
      default: token.append(byte)
      }
    }
    tokens.append(String(decoding: token, as: UTF8.self))
    return tokens
  }

  static func value(_ pointer: String, in root: JSONValue) -> JSONValue? {
    guard let tokens = tokens(pointer) else { return nil }
    var value = root
    for token in tokens {
      switch value {
      case .object(let members):
        guard let member = members[token] else { return nil }
        value = member
      case .array(let items):
        guard let index = Int(token), String(index) == token, items.indices.contains(index) else {
          return nil
        }
        value = items[index]
      default: return nil
      }
    }
    return value
  }
}

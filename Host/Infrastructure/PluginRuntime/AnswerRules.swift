import CCouncil
import Kernel

/// What an answer of a plugin may look like: council.h, `council_response_v1`.
enum AnswerRules {
  static let maxHeaders = 32
  /// Of all names and values together.
  static let maxHeaderBytes = 6 * 1024
  static let maxBodyBytes = 64 << 20
  static let maxCodeBytes = 64
  static let maxDetailBytes = 4096

  static let maxWriteBytes = Int(COUNCIL_STREAM_WRITE_MAX)
  static let events: StaticString = "text/event-stream"

  /// RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5.
  static func mayHaveBody(_ status: Int) -> Bool { status != 204 && status != 205 && status != 304 }

  /// RFC 9110, section 5.6.2: token.
  static func isToken(_ name: Span<UInt8>) -> Bool {
    guard name.count > 0 else { return false }
    for index in name.indices where !isTokenCharacter(name[index]) { return false }
    return true
  }

  /// No control characters but the tab, which a header may hold; those would let a value begin a line of its own.
  static func isValue(_ value: Span<UInt8>) -> Bool {
    for index in value.indices {
      let byte = value[index]
      if (byte < 0x20 && byte != 0x09) || byte == 0x7F { return false }
    }
    return true
  }

  /// A stable code: [a-z0-9._-], 1 to 64 bytes.
  static func isCode(_ code: Span<UInt8>) -> Bool {
    guard code.count > 0, code.count <= maxCodeBytes else { return false }
    for index in code.indices {
      switch code[index] {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "-"):
        continue
      default: return false
      }
    }
    return true
  }

  /// Headers that are the host's own or the connection's: dropped from a plugin's answer.
  static func isHostOwned(_ name: Span<UInt8>) -> Bool {
    switch name.count {
    case 2: matches(name, "te")
    case 4: matches(name, "date")
    case 7: matches(name, "trailer") || matches(name, "upgrade")
    case 9: matches(name, "ratelimit")
    case 10: matches(name, "connection") || matches(name, "keep-alive")
    case 11: matches(name, "traceparent")
    case 12: matches(name, "x-request-id")
    case 14: matches(name, "content-length")
    case 16: matches(name, "ratelimit-policy")
    case 17:
      matches(name, "transfer-encoding") || matches(name, "x-ratelimit-limit")
        || matches(name, "x-ratelimit-reset")
    case 21: matches(name, "x-ratelimit-remaining")
    default: false
    }
  }

  static func isContentType(_ name: Span<UInt8>) -> Bool { matches(name, "content-type") }

  /// Whether a name in any case is `lowered`.
  static func matches(_ name: Span<UInt8>, _ lowered: StaticString) -> Bool {
    guard name.count == lowered.utf8CodeUnitCount else { return false }
    var index = 0
    return lowered.withUTF8Span { expected in
      while index < name.count {
        if lowercase(name[index]) != expected[index] { return false }
        index += 1
      }
      return true
    }
  }

  static func lowercase(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }

  private static func isTokenCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"),
      UInt8(ascii: "%"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
      UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
      UInt8(ascii: "|"), UInt8(ascii: "~"):
      true
    default: false
    }
  }
}

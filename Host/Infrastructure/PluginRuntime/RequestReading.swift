import Application
import Domain
import Kernel

/// Finds the parts of a request that a handler asks for by name.
enum RequestReading {
  static func value(_ name: Span<UInt8>, _ fields: [Field], _ exchange: Exchange) -> ByteRange? {
    let head = exchange.head
    for field in fields where head.span(field.name).isEqual(to: name) { return field.value }
    return nil
  }

  /// A header by its name in any case.
  static func header(_ name: Span<UInt8>, _ exchange: Exchange) -> ByteRange? {
    guard !isWithheld(name) else { return nil }
    let head = exchange.head
    for field in exchange.headers where isEqualIgnoringCase(head.span(field.name), name) {
      return field.value
    }
    return nil
  }

  /// "name: value\r\n" of each header.
  static func allHeaders(_ exchange: Exchange) -> [UInt8] {
    let head = exchange.head
    var all: [UInt8] = []
    for field in exchange.headers {
      let name = head.span(field.name)
      if isWithheld(name) { continue }
      for index in name.indices { all.append(name[index]) }
      all.append(UInt8(ascii: ":"))
      all.append(UInt8(ascii: " "))
      let value = head.span(field.value)
      for index in value.indices { all.append(value[index]) }
      all.append(UInt8(ascii: "\r"))
      all.append(UInt8(ascii: "\n"))
    }
    return all
  }

  /// What proves who calls is the host's alone.
  static func isWithheld(_ name: Span<UInt8>) -> Bool {
    AnswerRules.matches(name, "authorization") || AnswerRules.matches(name, "x-api-key")
  }

  /// `stored` is in lower case already.
  private static func isEqualIgnoringCase(_ stored: Span<UInt8>, _ name: Span<UInt8>) -> Bool {
    guard stored.count == name.count else { return false }
    for index in stored.indices where stored[index] != AnswerRules.lowercase(name[index]) { return false }
    return true
  }
}

extension HTTPMethod {
  var text: StaticString {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .patch: "PATCH"
    case .delete: "DELETE"
    case .options: "OPTIONS"
    }
  }
}

extension Arena {
  /// Appends a problem document (RFC 9457) whose text is not a `String` and need not become one. `code` is of
  /// [a-z0-9._-], `detail` is valid UTF-8.
  func append(problem status: Int, code: Span<UInt8>, detail: Span<UInt8>) {
    append("{\"type\":\"urn:council:problem:")
    append(code)
    append("\",\"title\":\"")
    append(Problem.title(of: status))
    append("\",\"status\":")
    append(decimal: status)
    append(",\"code\":\"")
    append(code)
    append("\",\"detail\":")
    append(jsonString: detail)
    append(UInt8(ascii: "}"))
  }
}

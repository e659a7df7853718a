import Kernel

/// A format of the draft that this host checks.
enum Format: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  case dateTime, date, time, duration, email, idnEmail, hostname, ipv4, ipv6, uri, uriReference, iri,
    iriReference,
    uriTemplate, uuid, jsonPointer, relativeJSONPointer, regex

  enum Lookup {
    case known(Format)
    /// The draft has it, and this host does not check it.
    case unsupported
    /// A name of the schema's author, which only describes.
    case unknown
  }

  static func named(_ name: String) -> Lookup {
    if let format = allCases.first(where: { $0.name == name }) { return .known(format) }
    // Needs Unicode's tables of what an internationalized label may hold.
    return name == "idn-hostname" ? .unsupported : .unknown
  }

  var name: String {
    switch self {
    case .dateTime: "date-time"
    case .date: "date"
    case .time: "time"
    case .duration: "duration"
    case .email: "email"
    case .idnEmail: "idn-email"
    case .hostname: "hostname"
    case .ipv4: "ipv4"
    case .ipv6: "ipv6"
    case .uri: "uri"
    case .uriReference: "uri-reference"
    case .iri: "iri"
    case .iriReference: "iri-reference"
    case .uriTemplate: "uri-template"
    case .uuid: "uuid"
    case .jsonPointer: "json-pointer"
    case .relativeJSONPointer: "relative-json-pointer"
    case .regex: "regex"
    }
  }

  /// With an example, since that says it best.
  var text: String {
    switch self {
    case .dateTime: "a date and time of RFC 3339, like 2031-04-05T06:07:08Z"
    case .date: "a date of RFC 3339, like 2031-04-05"
    case .time: "a time of RFC 3339, like 06:07:08Z"
    case .duration: "a duration of ISO 8601, like P3DT4H"
    case .email, .idnEmail: "an email address, like name@example.com"
    case .hostname: "a host name, like www.example.com"
    case .ipv4: "an IPv4 address, like 192.0.2.1"
    case .ipv6: "an IPv6 address, like 2001:db8::1"
    case .uri, .iri: "an absolute URI, like https://example.com/path"
    case .uriReference, .iriReference: "a URI or a relative reference, like /path"
    case .uriTemplate: "a URI template of RFC 6570, like /users/{id}"
    case .uuid: "a UUID, like 01890a5d-ac96-774b-bcce-b302099a8057"
    case .jsonPointer: "a JSON Pointer, like /items/0"
    case .relativeJSONPointer: "a relative JSON Pointer, like 1/name"
    case .regex: "a regular expression of ECMA-262"
    }
  }

  /// Allocates only for `regex`.
  func accepts(_ text: Span<UInt8>) -> Bool {
    var scanner = ByteScanner(text)
    return switch self {
    case .dateTime: scanner.dateTime() && scanner.isAtEnd
    case .date: scanner.date() && scanner.isAtEnd
    case .time: scanner.time() && scanner.isAtEnd
    case .duration: scanner.duration() && scanner.isAtEnd
    case .email: scanner.email(international: false)
    case .idnEmail: scanner.email(international: true)
    case .hostname: scanner.hostname(to: text.count)
    case .ipv4: scanner.ipv4(to: text.count)
    case .ipv6: scanner.ipv6(to: text.count)
    case .uri: scanner.uri(international: false, isRelativeAllowed: false)
    case .uriReference: scanner.uri(international: false, isRelativeAllowed: true)
    case .iri: scanner.uri(international: true, isRelativeAllowed: false)
    case .iriReference: scanner.uri(international: true, isRelativeAllowed: true)
    case .uriTemplate: scanner.uriTemplate()
    case .uuid: scanner.uuid() && scanner.isAtEnd
    case .jsonPointer: scanner.jsonPointer()
    case .relativeJSONPointer: scanner.relativeJSONPointer()
    case .regex: isPattern(String(text))
    }
  }

  private func isPattern(_ text: String) -> Bool {
    guard let translated = try? ECMAPattern.translate(text) else { return false }
    do throws(PatternError) {
      _ = try PatternTable().add(translated)
      return true
    } catch {
      return error.unsupported
    }
  }
}

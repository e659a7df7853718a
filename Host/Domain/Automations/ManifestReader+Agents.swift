import Kernel

// What a route says for those who call it without having read its author's mind.

extension ManifestReader {
  mutating func hints(
    _ value: JSONValue?, _ at: String, of method: HTTPMethod, confirmed: Bool
  ) -> RouteHints {
    var hints = RouteHints(of: method, confirmed: confirmed)
    guard let value,
      let members = object(value, at, allowed: ["read_only", "destructive", "idempotent", "open_world"])
    else { return hints }
    hints.readOnly = flag(members["read_only"], at + "/read_only") ?? hints.readOnly
    // What is confirmed and only reads destroys nothing: what it costs is asked about.
    if hints.readOnly, method != .delete { hints.destructive = false }
    hints.destructive = flag(members["destructive"], at + "/destructive") ?? hints.destructive
    hints.idempotent = flag(members["idempotent"], at + "/idempotent") ?? (hints.idempotent || hints.readOnly)
    hints.openWorld = flag(members["open_world"], at + "/open_world") ?? hints.openWorld
    if hints.readOnly, hints.destructive {
      fault(at, "what is read_only cannot be destructive")
    }
    return hints
  }

  mutating func errors(_ value: JSONValue?, _ at: String) -> [DeclaredError] {
    var errors: [DeclaredError] = []
    for (index, item) in array(value, at, max: 32).enumerated() {
      let here = "\(at)/\(index)"
      guard let members = object(item, here, allowed: ["status", "code", "description"]) else { continue }
      let status = whole(members["status"], here + "/status", in: 400...599, required: true)
      let code = text(members["code"], here + "/code", required: true, max: 64) ?? ""
      let isSpelled = code.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
          UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
      if !isSpelled { fault(here + "/code", "must be lower-case letters, digits and '.', '_' or '-'") }
      let description = text(members["description"], here + "/description", max: 2000) ?? ""
      if let status { errors.append(DeclaredError(status: status, code: code, description: description)) }
    }
    return errors
  }

  mutating func deprecation(_ value: JSONValue?, _ at: String) -> Deprecation? {
    guard let value, let members = object(value, at, allowed: ["since", "sunset", "link"]) else { return nil }
    let since = instant(members["since"], at + "/since", required: true)
    let sunset = instant(members["sunset"], at + "/sunset", required: false)
    if let since, let sunset, sunset < since { fault(at + "/sunset", "is before 'since'") }
    let link = text(members["link"], at + "/link", max: 2000)
    if let link, !link.hasPrefix("https://"), !link.hasPrefix("/") {
      fault(at + "/link", "must start with 'https://' or '/'")
    }
    if let link, !link.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ">") }) {
      fault(at + "/link", "must be a URI: printable ASCII without '>'")
    }
    return since.map { Deprecation(since: $0, sunset: sunset, link: link) }
  }

  private mutating func instant(_ value: JSONValue?, _ at: String, required: Bool) -> Timestamp? {
    guard let text = text(value, at, required: required, max: 40) else { return nil }
    guard let kept = RecordTimestamp.normalise(text.utf8.span) else {
      fault(at, "must be a timestamp of RFC 3339, as 2026-11-20T00:00:00Z")
      return nil
    }
    return Timestamp(text: String(decoding: kept, as: UTF8.self))
  }

  /// A flag of routes that change something.
  mutating func effect(_ value: JSONValue?, _ at: String, reads: Bool) -> Bool {
    let isSet = flag(value, at) ?? false
    if isSet, reads { fault(at, "a GET changes nothing") }
    return isSet
  }

  mutating func idempotency(_ value: JSONValue?, _ at: String, reads: Bool, streams: Bool) -> Idempotency {
    guard let value else { return reads || streams ? .none : .optional }
    guard let rule = value.string.flatMap(Idempotency.init(rawValue:)) else {
      fault(at, "must be 'none', 'optional' or 'required'")
      return .none
    }
    if reads, rule != .none { fault(at, "a GET changes nothing: it can be repeated without a key") }
    if streams, rule != .none { fault(at, "an answer that is a stream cannot be kept under a key") }
    return rule
  }
}

import Kernel

/// The parts of a URI reference that finding a schema takes (RFC 3986): everything but the fragment, and the fragment.
struct URIReference: Equatable {
  var absolute: String
  /// Percent-decoded; nil when there is no `#`.
  var fragment: String?

  /// Splits at the fragment. Nil when the text cannot be a URI reference.
  init?(_ text: String) {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !#"<>"\^`{|}"#.utf8.contains($0) }) else {
      return nil
    }
    guard let hash = text.firstIndex(of: "#") else {
      absolute = text
      return
    }
    absolute = String(text[..<hash])
    guard let decoded = percentDecoded(text[text.index(after: hash)...]) else { return nil }
    fragment = decoded
  }

  /// What `reference` (without its fragment) means next to `base`: section 5.2.
  static func resolve(_ reference: String, against base: String) -> String {
    if reference.isEmpty { return base }
    let own = Parts(reference)
    if own.scheme != nil { return Parts(own, path: withoutDots(own.path)).text }
    var result = Parts(base)
    if own.authority != nil {
      (result.authority, result.path, result.query) = (own.authority, withoutDots(own.path), own.query)
    } else if own.path.isEmpty {
      result.query = own.query ?? result.query
    } else if own.path.hasPrefix("/") {
      (result.path, result.query) = (withoutDots(own.path), own.query)
    } else {
      let folder = result.path.lastIndex(of: "/").map { result.path[...$0] } ?? ""
      let merged = result.authority != nil && result.path.isEmpty ? "/" + own.path : folder + own.path
      (result.path, result.query) = (withoutDots(String(merged)), own.query)
    }
    return result.text
  }

  private struct Parts {
    var scheme: String?
    var authority: String?
    var path: String
    var query: String?

    init(_ text: String) {
      var rest = text[...]
      if let colon = rest.firstIndex(of: ":"), !rest[..<colon].contains(where: { "/?".contains($0) }) {
        scheme = String(rest[..<colon])
        rest = rest[rest.index(after: colon)...]
      }
      if let mark = rest.firstIndex(of: "?") {
        query = String(rest[rest.index(after: mark)...])
        rest = rest[..<mark]
      }
      if rest.hasPrefix("//") {
        rest = rest.dropFirst(2)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        authority = String(rest[..<slash])
        rest = rest[slash...]
      }
      path = String(rest)
    }

    init(_ other: Parts, path: String) {
      self = other
      self.path = path
    }

    var text: String {
      (scheme.map { $0 + ":" } ?? "") + (authority.map { "//" + $0 } ?? "") + path
        + (query.map { "?" + $0 } ?? "")
    }
  }

  private static func withoutDots(_ path: String) -> String {
    // A path without a slash is opaque: that of a URN.
    guard path.contains("/") else { return path }
    var kept: [Substring] = []
    let segments = path.split(separator: "/", omittingEmptySubsequences: false)
    for (index, segment) in segments.enumerated() {
      let isLast = index == segments.count - 1
      switch segment {
      case ".": if isLast { kept.append("") }
      case "..":
        if kept.count > 1 { kept.removeLast() }
        if isLast { kept.append("") }
      default: kept.append(segment)
      }
    }
    return kept.joined(separator: "/")
  }
}

private func percentDecoded(_ text: Substring) -> String? {
  var bytes: [UInt8] = []
  var rest = text.utf8[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      bytes.append(byte)
      continue
    }
    guard let high = rest.popFirst().flatMap(Hex.value(of:)),
      let low = rest.popFirst().flatMap(Hex.value(of:))
    else { return nil }
    bytes.append(high << 4 | low)
  }
  return String(validating: bytes, as: UTF8.self)
}

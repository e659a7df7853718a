/// Entity tags (RFC 9110, section 8.8.3) made of record versions: version 3 is `"3"`.
enum EntityTag {
  /// Whether `If-None-Match` names this version: `*`, or a list of tags that are compared weakly.
  static func matches(_ ifNoneMatch: String, version: Int64) -> Bool {
    tags(ifNoneMatch).contains { tag in
      tag == "*" || (tag.hasPrefix("W/") ? tag.dropFirst(2) : tag) == "\"\(version)\""
    }
  }

  /// The version that `If-Match` asks for; nil for `*`. Tags are compared strongly, and of several one could only be
  /// expected by reading first, so a list is refused like a tag that is none of ours.
  static func expectedVersion(_ ifMatch: String) throws(ProblemError) -> Int64? {
    let tags = tags(ifMatch)
    if tags == ["*"] { return nil }
    if tags.count == 1, let tag = tags.first, tag.hasPrefix("\""), tag.hasSuffix("\""), tag.utf8.count > 2,
      let version = Int64(tag.dropFirst().dropLast()), version > 0, tag == "\"\(version)\""
    {
      return version
    }
    throw ProblemError(
      412, "request.if_match", "If-Match must be one entity tag as it came in ETag, like \"3\", or *.")
  }

  private static func tags(_ header: String) -> [Substring] {
    header.split(separator: ",").map { part in
      let start = part.drop { $0 == " " || $0 == "\t" }
      let end = start.lastIndex { $0 != " " && $0 != "\t" }
      return end.map { start[...$0] } ?? start[..<start.startIndex]
    }
  }
}

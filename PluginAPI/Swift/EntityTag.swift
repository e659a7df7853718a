/// Entity tags (RFC 9110, section 8.8.3) made of record versions: version 3 is `"3"`.
enum EntityTag {
  /// Whether `If-None-Match` names this version: `*`, or a list of tags that are compared weakly.
  static func matches(_ ifNoneMatch: String, version: Int64) -> Bool {
    tags(ifNoneMatch).contains { tag in
      tag == "*" || (tag.hasPrefix("W/") ? tag.dropFirst(2) : tag) == "\"\(version)\""
    }
  }

  /// The version that `If-Match` asks for; nil for `*`. Tags are compared strongly: a weak one, and one that no record of
  /// ours has, match nothing and do not count in a list. Which of several versions is the present one could only be
  /// known by reading first, so those are refused.
  static func expectedVersion(_ ifMatch: String) throws(ProblemError) -> Int64? {
    let tags = tags(ifMatch)
    if tags == ["*"] { return nil }
    let versions = Set(tags.compactMap(version))
    if versions.count == 1, let version = versions.first { return version }
    throw ProblemError(
      412, "request.if_match",
      "Nothing was done: If-Match names no version that a record can have, or several. Read the record, and send its ETag as it came, like \"3\", or * for any version."
    )
  }

  private static func version(_ tag: Substring) -> Int64? {
    guard tag.hasPrefix("\""), tag.hasSuffix("\""), tag.utf8.count > 2,
      let version = Int64(tag.dropFirst().dropLast()), version > 0, tag == "\"\(version)\""
    else { return nil }
    return version
  }

  private static func tags(_ header: String) -> [Substring] {
    header.split(separator: ",").map { part in
      let start = part.drop { $0 == " " || $0 == "\t" }
      let end = start.lastIndex { $0 != " " && $0 != "\t" }
      return end.map { start[...$0] } ?? start[..<start.startIndex]
    }
  }
}

/// That something goes: answers carry `Deprecation` (RFC 9745), and `Sunset` (RFC 8594) and `Link` where these are known.
public struct Deprecation: Sendable {
  let json: JSON

  /// Both times are RFC 3339, `2026-11-20T00:00:00Z`: since when it should not be used, and when it stops answering.
  /// `link` leads to what to use instead: `https://…`, or a path of the host.
  public init(since: String, sunset: String? = nil, link: String? = nil) {
    var json: JSON = ["since": .string(since)]
    if let sunset { json = json.with("sunset", .string(sunset)) }
    if let link { json = json.with("link", .string(link)) }
    self.json = json
  }
}

extension HostConfiguration {
  /// What the MCP endpoint takes, keeps, and says of itself.
  package struct MCP: Sendable, Equatable {
    package var takesAnonymous = false
    package var authorizationServers: [String] = []
    package var origins: [String] = []
    package var maxBodyBytes = 2 << 20
    package var page = 200
    package var maxCursorBytes = 512
    package var listMilliseconds = 5000
    package var keptPages = 256
    package var keptPageBytes = 16 << 20
    package var keptCalls = 4096
    package var resourcePage = 50
    package var maxStreamBytes = 100_000
    package var maxListeners = 256
    package var maxListenersPerCaller = 16

    /// Whether anybody may listen for changes.
    package var tellsOfChanges: Bool { maxListeners > 0 && maxListenersPerCaller > 0 }

    package init() {}
  }
}

extension Setting {
  /// `mcp`
  static let mcp: [Setting] = [
    .init(
      "mcp.anonymous", .flag(\.mcp.takesAnonymous),
      "Whether callers without a key may call tools of public routes; clients that can log in do so only when refused."
    ),
    .init(
      "mcp.authorization_servers", .list(maxItems: 8, maxLength: 1024, \.mcp.authorizationServers),
      "Issuers that the OAuth metadata names; without one clients need a key."),
    .init(
      "mcp.origins", .list(maxItems: 64, maxLength: 255, \.mcp.origins),
      "Origins of pages whose scripts may call, like https://app.example.com; \"*\" is all. Others get 403."),
    .init("mcp.max_body_bytes", .number(1024...(64 << 20), \.mcp.maxBodyBytes), "Of a message: more is 413."),
    .init(
      "mcp.page", .number(1...10_000, \.mcp.page),
      "Tools or resources of one page of a list; fewer where they are long."),
    .init("mcp.max_cursor_bytes", .number(256...4096, \.mcp.maxCursorBytes), "Of a list's cursor."),
    .init(
      "mcp.list_ttl_ms", .number(0...86_400_000, \.mcp.listMilliseconds),
      "How long a client may take a list for fresh."),
    .init("mcp.kept_pages", .number(0...65_536, \.mcp.keptPages), "Pages of lists that are kept ready."),
    .init("mcp.kept_page_bytes", .number(0...(1 << 30), \.mcp.keptPageBytes), "Of them together."),
    .init(
      "mcp.kept_calls", .number(0...65_536, \.mcp.keptCalls),
      "Calls of clients of the era before that are known at a time, so that they can be taken back; the oldest goes first."
    ),
    .init("mcp.resource_page", .number(1...10_000, \.mcp.resourcePage), "Records of one page of a resource."),
    .init(
      "mcp.max_stream_bytes", .number(1024...(64 << 20), \.mcp.maxStreamBytes),
      "Of the text that the stream of a route becomes as the result of a tool's call, whatever the limits of answers; the rest is cut."
    ),
    .init(
      "mcp.max_listeners", .number(0...65_536, \.mcp.maxListeners),
      "Clients that listen for changes at a time, each with a stream of its own: more is 503; 0: none is told."
    ),
    .init(
      "mcp.max_listeners_per_caller", .number(0...65_536, \.mcp.maxListenersPerCaller),
      "Of them, of one key, or of one address without a key."),
  ]

  static func mcpFaults(_ mcp: HostConfiguration.MCP, maxPage: Int) -> [String] {
    var all: [String] = []
    for origin in mcp.origins where origin != "*" && !isOrigin(origin) {
      all.append("mcp.origins: '\(origin)' is no origin like https://app.example.com")
    }
    for issuer in mcp.authorizationServers where !issuer.hasPrefix("https://") {
      all.append("mcp.authorization_servers: '\(issuer)' does not begin with https://")
    }
    if mcp.resourcePage > maxPage {
      all.append("mcp.resource_page is \(mcp.resourcePage), more than records.max_page, \(maxPage)")
    }
    return all
  }

  /// A scheme and an authority, as a browser spells an Origin (RFC 6454, section 6.2).
  private static func isOrigin(_ text: String) -> Bool {
    guard let scheme = ["https://", "http://"].first(where: text.hasPrefix) else { return false }
    let authority = text.dropFirst(scheme.count)
    return !authority.isEmpty
      && authority.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
          UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
          true
        default: false
        }
      }
  }
}

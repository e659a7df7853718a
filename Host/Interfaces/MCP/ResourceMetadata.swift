import Application
import Domain
import Kernel

/// OAuth 2.0 Protected Resource Metadata (RFC 9728): what this host is to a client that wants a token.
struct ResourceMetadata: Sendable {
  static let path = "/.well-known/oauth-protected-resource"

  private let serverURL: String
  private let servers: [String]
  private let scheme: String
  private let showsScopes: Bool

  init(_ site: MCPServer.Site) {
    serverURL = site.serverURL.hasSuffix("/") ? String(site.serverURL.dropLast()) : site.serverURL
    servers = site.settings.authorizationServers
    scheme = site.hasTLS ? "https" : "http"
    showsScopes = site.showsScopes
  }

  /// Of the whole host, or of `/mcp`.
  ///
  /// RFC 9728 has `authorization_servers` optional, MCP does not: a host without one says here how it takes keys, and for
  /// what, but sends no client of MCP here (``challenge(_:error:scope:)``).
  func document(of path: String, _ exchange: Exchange, scopes: [String]) -> JSONValue {
    let base = base(exchange)
    var document: [String: JSONValue] = [
      "resource": .string(base + path), "resource_name": "Council", "bearer_methods_supported": ["header"],
      "resource_documentation": .string(base + "/llms.txt"),
    ]
    if showsScopes { document["scopes_supported"] = .array(scopes.map(JSONValue.string)) }
    if !servers.isEmpty { document["authorization_servers"] = .array(servers.map(JSONValue.string)) }
    return .object(document)
  }

  /// Whether a client that is let in nowhere yet learns which scopes to log in for: where it can log in, and where everybody
  /// may read them in the metadata, too.
  var wantsScopes: Bool { showsScopes && !servers.isEmpty }

  /// Of a 401 or 403 at `/mcp` (RFC 6750, section 3; RFC 9728, section 5.1). It names the metadata where that names an
  /// authorization server.
  func challenge(_ exchange: Exchange, error: String?, scope: String?) -> String {
    var text = "Bearer realm=\"council\""
    if let error { text += ", error=\"\(error)\"" }
    if let scope { text += ", scope=\"\(scope)\"" }
    // A client follows this to where tokens come from, and fails where that is nowhere.
    if servers.isEmpty { return text }
    return text + ", resource_metadata=\"\(base(exchange))\(ResourceMetadata.path)/mcp\""
  }

  /// What clients reach this host by: what is set, or what the client itself called it by.
  private func base(_ exchange: Exchange) -> String {
    if !serverURL.isEmpty { return serverURL }
    let head = exchange.head
    let host = exchange.has(.host) ? String(head.span(exchange[.host])) : ""
    return "\(scheme)://" + (ResourceMetadata.isHost(host) ? host : "localhost")
  }

  /// A name or address with a port, and nothing that could leave the quotes of a header (RFC 9110, section 7.2).
  private static func isHost(_ host: String) -> Bool {
    !host.isEmpty && host.utf8.count <= 255
      && host.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: ":"),
          UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }
}

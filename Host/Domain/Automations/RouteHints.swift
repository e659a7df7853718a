package import Kernel

/// What a caller may expect of a route without trying it: the four hints of MCP's tool annotations.
package struct RouteHints: Sendable, Equatable {
  /// Changes nothing.
  package var readOnly: Bool
  /// May remove or overwrite what is there.
  package var destructive: Bool
  /// The same call again has no further effect.
  package var idempotent: Bool
  /// Reaches beyond the host: other services, the web.
  package var openWorld: Bool

  package init(readOnly: Bool, destructive: Bool, idempotent: Bool, openWorld: Bool = false) {
    self.readOnly = readOnly
    self.destructive = destructive
    self.idempotent = idempotent
    self.openWorld = openWorld
  }

  /// What the method promises (RFC 9110, section 9.2) to a manifest that says no more. Who has to confirm a call is asked
  /// because it cannot be undone.
  package init(of method: HTTPMethod, confirmed: Bool = false) {
    let reads = method == .get || method == .head || method == .options
    self.init(
      readOnly: reads, destructive: method == .delete || confirmed,
      idempotent: reads || method == .put || method == .delete)
  }
}

/// A problem that a handler answers with.
package struct DeclaredError: Sendable, Equatable {
  /// 400 to 599.
  package var status: Int
  package var code: String
  package var description: String

  package init(status: Int, code: String, description: String = "") {
    self.status = status
    self.code = code
    self.description = description
  }
}

/// A route that goes (RFC 9745) and when it stops answering (RFC 8594).
package struct Deprecation: Sendable, Equatable {
  package var since: Timestamp
  package var sunset: Timestamp?
  /// Where a caller reads what to use instead: absolute, or a path of the host.
  package var link: String?

  package init(since: Timestamp, sunset: Timestamp? = nil, link: String? = nil) {
    self.since = since
    self.sunset = sunset
    self.link = link
  }
}

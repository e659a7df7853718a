/// The header Prefer (RFC 7240).
package enum Preferences {
  /// Whether one of the preferences is `dry-run`. What stands in quotes is none.
  package static func holdDryRun(_ header: String) -> Bool {
    var (plain, isQuoted, isEscaped) = ("", false, false)
    for byte in header.unicodeScalars {
      if byte == "\"", !isEscaped { isQuoted.toggle() }
      isEscaped = isQuoted && byte == "\\" && !isEscaped
      plain.unicodeScalars.append(isQuoted ? "\"" : byte)
    }
    return plain.split(separator: ",").contains { part in
      let name = part.prefix { $0 != ";" }
      return name.split(whereSeparator: { $0 == " " || $0 == "\t" }).map { $0.lowercased() } == ["dry-run"]
    }
  }
}

/// The request on whose behalf records are used by an asynchronous handler of a dry run.
///
/// The host knows the request of an immediate handler by its thread. A task may run on any: its calls name the request, so
/// that their writes are undone. A detached task does not inherit this: it uses records with ``RecordsOf/on(_:)``.
enum DryRun {
  @TaskLocal static var request: UInt64 = 0

  /// Runs a handler, as a dry run when its request asks for one.
  static func run(_ request: Request, _ handler: Route.Deferred) async throws -> Response {
    guard request.isDryRun else { return try await handler(request) }
    return try await $request.withValue(request.name) { try await handler(request) }
  }
}

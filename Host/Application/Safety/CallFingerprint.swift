import Domain
package import Kernel

/// What one call is, in 32 bytes: the route by its name, its parameters, its body, and the version it expects. The same
/// whether it came as a request to the route or by name, and without the words that make it safe.
package enum CallFingerprint {
  /// `scratch` is overwritten. [event]
  package static func of(
    _ exchange: Exchange, _ route: LiveRoute, _ digests: any Digests, _ scratch: Arena
  ) -> Digest256 {
    let head = exchange.head
    scratch.removeAll()
    scratch.append("council.call/1")
    append(route.generation.manifest.id.utf8.span, to: scratch)
    append(route.declaration.operation.utf8.span, to: scratch)
    for fields in [exchange.parameters, exchange.query] {
      scratch.append(hex: UInt64(fields.count))
      for field in fields {
        append(head.span(field.name), to: scratch)
        append(head.span(field.value), to: scratch)
      }
    }
    append(head.span(exchange[.ifMatch]), to: scratch)
    append(head.span(exchange[.contentType]), to: scratch)
    let body = exchange.body
    digests.sha256(body.span(body.all)).withSpan { _ = scratch.append($0) }
    return digests.sha256(scratch.span(scratch.all))
  }

  /// Each part with its length before it: no two lists of parts are the same bytes.
  static func append(_ part: Span<UInt8>, to scratch: Arena) {
    scratch.append(hex: UInt64(part.count))
    scratch.append(part)
  }
}

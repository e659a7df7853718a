import Domain
package import Kernel

/// What one call is, in 32 bytes: the route by its name, its parameters, its body, and the version it expects. The same
/// whether it came as a request to the route or by name, however its JSON is laid out, and without the words that make it
/// safe, wherever they stood.
package enum CallFingerprint {
  /// `scratch` is overwritten. [event]
  package static func of(
    _ exchange: Exchange, _ route: LiveRoute, _ digests: any Digests, _ scratch: Arena
  ) -> Digest256 {
    let (head, body) = (exchange.head, exchange.body)
    scratch.removeAll()
    let text = body.span(body.all)
    // What has a schema is valid JSON by now. Where a word was cut out of it, its blanks are not those of the call without.
    let digest: Digest256
    if route.schemas.body == nil {
      digest = digests.sha256(text)
    } else {
      JSONText.appendCompact(JSONText.root(of: text), of: text, to: scratch)
      digest = digests.sha256(scratch.span(scratch.all))
    }
    scratch.removeAll()
    scratch.append("council.call/2")
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
    append(head.span(exchange[.ifNoneMatch]), to: scratch)
    append(head.span(exchange[.contentType]), to: scratch)
    digest.withSpan { _ = scratch.append($0) }
    return digests.sha256(scratch.span(scratch.all))
  }

  /// Each part with its length before it: no two lists of parts are the same bytes.
  static func append(_ part: Span<UInt8>, to scratch: Arena) {
    scratch.append(hex: UInt64(part.count))
    scratch.append(part)
  }
}

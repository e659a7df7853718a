package import Kernel

/// What a `$ref` inside a schema points to. Only places of the same document: nothing is ever fetched.
package enum SchemaReference {
  /// nil for what is no pointer into `root` (RFC 6901, section 6), and for a place that is not there.
  package static func resolve(_ reference: String, in root: JSONValue) -> JSONValue? {
    steps(reference).flatMap { JSONPointer(steps: $0).value(in: root) }
  }

  /// The steps of a pointer as a fragment.
  package static func steps(_ reference: String) -> [String]? {
    guard reference.hasPrefix("#"), let fragment = PercentDecoding.text(reference.dropFirst()) else {
      return nil
    }
    return JSONPointer(fragment)?.steps
  }

  /// One step of a JSON Pointer (RFC 6901).
  static func step(_ name: String) -> String { JSONPointer.text([name]) }
}

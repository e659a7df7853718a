import Domain
import Kernel

/// A header by which a route says that it goes, and its value.
package struct DeprecationHeader: Sendable {
  package let name: StaticString
  package let value: [UInt8]
}

extension Deprecation {
  var headers: [DeprecationHeader] {
    var headers = [
      DeprecationHeader(name: "Deprecation", value: Array("@\(since.microseconds / 1_000_000)".utf8))
    ]
    if let sunset { headers.append(DeprecationHeader(name: "Sunset", value: Array(sunset.httpDate.utf8))) }
    if let link {
      headers.append(DeprecationHeader(name: "Link", value: Array("<\(link)>; rel=\"deprecation\"".utf8)))
    }
    return headers
  }
}

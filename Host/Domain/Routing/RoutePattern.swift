/// A path with places for parameters: `/{id}/entries`. RFC 6570 level 1, one expression per segment.
package struct RoutePattern: Sendable, Equatable {
  package enum Segment: Sendable, Equatable {
    case literal(String)
    case parameter(String)
  }

  package struct Fault: Error, Equatable {
    package var reason: String
  }

  package static let maxSegments = 16

  package var segments: [Segment]

  /// Reads a path as a manifest writes it: it starts with `/`; a `/` at its end says nothing, for a request
  /// matches with and without one.
  package static func parse(_ path: String) -> Result<RoutePattern, Fault> {
    guard path.hasPrefix("/") else { return .failure(Fault(reason: "must start with '/'")) }
    var parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    if parts.last == "" { parts.removeLast() }
    guard parts.count <= maxSegments else {
      return .failure(Fault(reason: "has more than \(maxSegments) segments"))
    }
    var segments: [Segment] = []
    var names: Set<String> = []
    for part in parts {
      switch segment(part) {
      case .failure(let fault): return .failure(fault)
      case .success(let segment):
        if case .parameter(let name) = segment, !names.insert(name).inserted {
          return .failure(Fault(reason: "names the parameter '\(name)' twice"))
        }
        segments.append(segment)
      }
    }
    return .success(RoutePattern(segments: segments))
  }

  /// Names of the parameters, in order.
  package var parameterNames: [String] {
    segments.compactMap { if case .parameter(let name) = $0 { name } else { nil } }
  }

  private static func segment(_ part: Substring) -> Result<Segment, Fault> {
    if part.isEmpty || part == "." || part == ".." {
      return .failure(Fault(reason: "has an empty segment, '.' or '..'"))
    }
    if part.hasPrefix("{"), part.hasSuffix("}") {
      let name = String(part.dropFirst().dropLast())
      guard Names.isField(name) else {
        return .failure(Fault(reason: "a parameter's name \(Names.fieldRule)"))
      }
      return .success(.parameter(name))
    }
    let allowed = part.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
        UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: "@"):
        true
      default: false
      }
    }
    guard allowed else {
      return .failure(Fault(reason: "segment '\(part)' has characters beside letters, digits and -_.~:@"))
    }
    return .success(.literal(String(part)))
  }
}

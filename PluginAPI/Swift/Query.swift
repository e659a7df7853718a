/// The query parameters of a request, percent-decoded.
public struct Query: Sendable {
  let request: Request

  /// The first parameter of that name; nil when it did not come.
  public subscript(name: String) -> String? {
    if request.copy != nil { return all(name).first }
    return request.host.text(request.name, .queryParameter, name)
  }

  /// A whole number; one that is not is answered 400.
  public func integer(_ name: String) throws(ProblemError) -> Int64? {
    guard let text = self[name] else { return nil }
    guard let value = Int64(text) else {
      throw ProblemError(
        400, "request.query_parameter_invalid", "The query parameter '\(name)' is not a whole number.",
        members: ["field": .string(name)])
    }
    return value
  }

  /// Every value of a parameter that repeats, in order.
  public func all(_ name: String) -> [String] {
    text.utf8.split(separator: UInt8(ascii: "&")).compactMap { pair in
      let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      guard PercentCoding.decode(pair[..<end]) == name else { return nil }
      return PercentCoding.decode(pair[end...].dropFirst())
    }
  }

  /// The query string as received, without the question mark.
  public var text: String {
    request.copy?.queryString ?? request.host.text(request.name, .queryString) ?? ""
  }
}

public import CouncilPlugin

/// What a call was answered with.
public struct FakeResponse: Error, Sendable {
  public var status: Int
  public var contentType: String
  /// What the plugin set, `Content-Type` not among them.
  public var headers: [Response.Header]
  public var body: [UInt8]

  init(
    status: Int, contentType: String = "application/json", headers: [Response.Header] = [], body: [UInt8] = []
  ) {
    self.status = status
    self.contentType = contentType
    self.headers = headers
    self.body = body
  }

  /// The first header of that name, in any case.
  public func header(_ name: String) -> String? {
    headers.first { $0.name.lowercased() == name.lowercased() }?.value
  }

  /// The body as JSON; null where it is none.
  public var json: JSON { (try? JSON(parsing: body)) ?? .null }

  /// The body as text.
  public var text: String { String(decoding: body, as: UTF8.self) }

  /// The stable code of a problem; nil where the answer is none.
  public var code: String? { contentType == "application/problem+json" ? json["code"]?.string : nil }

  static func problem(_ status: Int, _ code: String, _ detail: String, _ members: JSON = [:]) -> FakeResponse
  {
    let document = JSON.problem(status, code, detail, members)
    return FakeResponse(status: status, contentType: "application/problem+json", body: document.bytes)
  }
}

extension JSON {
  static func problem(_ status: Int, _ code: String, _ detail: String, _ members: JSON = [:]) -> JSON {
    let standard: [JSON.Member] = [
      .init("type", "urn:council:problem:\(code)"), .init("status", .integer(Int64(status))),
      .init("code", .string(code)), .init("detail", .string(detail)),
    ]
    return .object(standard + (members.members ?? []))
  }
}

public import CouncilPlugin

/// What a call was answered with.
public struct FakeResponse: Error, Sendable {
  public var status: Int
  public var contentType: String
  /// What the plugin set, `Content-Type` not among them.
  public var headers: [Response.Header]
  public var body: [UInt8]
  /// A stream that was aborted: its body is not whole.
  public internal(set) var isCut = false

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

  /// The events of a stream, as a client reads them (HTML standard, section 9.2.6): comments and `retry` are left out.
  public var events: [ServerEvent] {
    var events: [ServerEvent] = []
    var (data, event, id): ([String], String, String?) = ([], "", nil)
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty {
        if !data.isEmpty {
          events.append(ServerEvent(event: event, data: data.joined(separator: "\n"), id: id))
        }
        (data, event, id) = ([], "", nil)
        continue
      }
      let colon = line.firstIndex(of: ":") ?? line.endIndex
      var value = line[colon...].dropFirst()
      if value.first == " " { value = value.dropFirst() }
      switch line[..<colon] {
      case "data": data.append(String(value))
      case "event": event = String(value)
      case "id": id = String(value)
      default: break
      }
    }
    return events
  }

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

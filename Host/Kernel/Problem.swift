/// An error as a caller sees it: RFC 9457 problem details with a stable, documented code.
package struct Problem: Error, Sendable, Equatable {
  /// HTTP status, 400 to 599.
  package var status: Int
  /// Stable, lower case, dotted: `records.conflict`. Callers match on this and on nothing else.
  package var code: String
  /// What happened and what to do, for people and models. Never holds a secret.
  package var detail: String
  /// Facts a caller can act on, beside the standard members.
  package var members: [String: JSONValue]
  /// Seconds after which a retry makes sense.
  package var retryAfterSeconds: Int?

  package init(
    _ status: Int, _ code: String, _ detail: String, members: [String: JSONValue] = [:],
    retryAfterSeconds: Int? = nil
  ) {
    self.status = status
    self.code = code
    self.detail = detail
    self.members = members
    self.retryAfterSeconds = retryAfterSeconds
  }
}

extension Problem {
  /// The reason phrase of RFC 9110.
  package static func title(of status: Int) -> String {
    switch status {
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 411: "Length Required"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 421: "Misdirected Request"
    case 422: "Unprocessable Content"
    case 428: "Precondition Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: status < 500 ? "Client Error" : "Server Error"
    }
  }
}

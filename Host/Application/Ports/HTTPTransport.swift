/// One request to another HTTP server: the command line to the admin listener.
package struct OutgoingRequest: Sendable {
  package enum Body: Sendable, Equatable {
    case none
    case bytes([UInt8])
    /// The path of a regular file, sent as it is, in pieces.
    case file(String)
  }

  package var method: String
  /// `http://` or `https://`.
  package var url: String
  /// Without `Content-Length` and `Host`, which the adapter writes. May hold a secret: never log them.
  package var headers: [(name: String, value: String)]
  package var body: Body
  /// From the first byte of the connection to the last of the answer.
  package var timeout: Duration
  /// A longer answer is an error.
  package var maxAnswerBytes: Int

  package init(
    _ method: String, _ url: String, headers: [(name: String, value: String)] = [], body: Body = .none,
    timeout: Duration = .seconds(120), maxAnswerBytes: Int = 64 << 20
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeout = timeout
    self.maxAnswerBytes = maxAnswerBytes
  }
}

package struct IncomingAnswer: Sendable {
  package var status: Int
  /// Names in lower case, in order of arrival.
  package var headers: [(name: String, value: String)]
  package var body: [UInt8]

  package init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  package subscript(header: String) -> String? { headers.first { $0.name == header }?.value }
}

/// Why no answer came. The texts are for people and hold no secret.
package enum TransportFailure: Error, Sendable, Equatable {
  /// Nobody answers at that address: refused, no route, no such name, connection lost before an answer.
  case unreachable(String)
  case timedOut
  case tls(String)
  case answerTooLong
  /// The URL, or the file of the body, is none.
  case invalid(String)
}

/// Sends requests and waits for their answers. Follows no redirects. Any status is an answer. [any thread]
package protocol HTTPTransport: AnyObject, Sendable {
  func send(_ request: OutgoingRequest) throws(TransportFailure) -> IncomingAnswer
}

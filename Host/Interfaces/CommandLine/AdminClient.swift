import Application
import Domain
import Kernel

/// Calls the admin listener, with the admin's key.
struct AdminClient {
  static let defaultURL = "http://127.0.0.1:8081"

  private let invocation: Invocation
  private let base: String
  private let timeout: Duration
  /// In place of the one that options and environment name.
  private var key: String?

  /// `url` goes before the option and the environment.
  init(_ invocation: Invocation, url: String? = nil) throws {
    self.invocation = invocation
    let text =
      url ?? invocation.value("--admin") ?? invocation.services.environment["COUNCIL_ADMIN_URL"]
      ?? AdminClient.defaultURL
    base = try AdminClient.base(text, invocation)
    timeout = .seconds(try invocation.duration("--timeout") ?? 120)
  }

  /// A host of this command's own.
  init(_ invocation: Invocation, base: String, key: String) {
    self.invocation = invocation
    self.base = base
    self.key = key
    timeout = .seconds(120)
  }

  /// Sends one request and returns the document it answers with. Throws its ``Problem`` when it is none of 2xx.
  func call(
    _ endpoint: AdminEndpoint, _ parameters: [String] = [], query: [(String, String)] = [],
    headers: [(name: String, value: String)] = [], body: OutgoingRequest.Body = .none
  ) throws -> JSONValue {
    let answer = try send(endpoint, parameters, query: query, headers: headers, body: body)
    guard let document = AdminClient.document(answer) else { throw foreign(answer) }
    return document
  }

  /// `also` is a status that is an answer too.
  func send(
    _ endpoint: AdminEndpoint, _ parameters: [String] = [], query: [(String, String)] = [],
    headers: [(name: String, value: String)] = [], body: OutgoingRequest.Body = .none, also: Int? = nil
  ) throws -> IncomingAnswer {
    var url = base + endpoint.path(parameters)
    for (index, (name, value)) in query.enumerated() {
      url += "\(index == 0 ? "?" : "&")\(name)=\(PercentEncoding.component(value))"
    }
    var headers = headers
    headers.append(("Accept", "application/json"))
    if let key = try key(for: endpoint) { headers.append(("Authorization", "Bearer " + key)) }
    if case .bytes = body { headers.append(("Content-Type", "application/json")) }
    let request = OutgoingRequest(
      endpoint.row.method.rawValue, url, headers: headers, body: body, timeout: timeout)
    let transport = try invocation.services.transport()
    func ask() throws -> IncomingAnswer {
      do throws(TransportFailure) { return try transport.send(request) } catch { throw failure(error) }
    }
    var answer = try ask()
    if let pause = AdminClient.pause(after: answer) {
      invocation.note("council: another host takes over; the request is sent again in \(pause) s")
      // Nobody signals: this is how a thread of the Kernel pauses.
      _ = Monitor(()).wait(until: .now + .seconds(pause)) { _ in nil as Bool? }
      answer = try ask()
    }
    if (200...299).contains(answer.status) || answer.status == also { return answer }
    throw problem(of: answer)
  }

  /// The longest that a command waits for a hand-over before it asks once more.
  private static let longestPause = 5

  /// In how many seconds a request is to be sent again to which nothing was done because another host takes over; nil
  /// for every other answer.
  private static func pause(after answer: IncomingAnswer) -> Int? {
    guard answer.status == 503, let document = document(answer),
      document["code"]?.string == "host.handing_over"
    else { return nil }
    return min(longestPause, max(0, Int(document["retry_after_s"]?.integer ?? 1)))
  }

  // MARK: The key

  private func key(for endpoint: AdminEndpoint) throws -> String? {
    if let key { return key }
    let environment = invocation.services.environment
    if let path = invocation.value("--key-file") { return try read(path) }
    if let key = environment["COUNCIL_ADMIN_KEY"], !key.isEmpty {
      return try checked(key, "COUNCIL_ADMIN_KEY")
    }
    if let path = environment["COUNCIL_ADMIN_KEY_FILE"], !path.isEmpty { return try read(path) }
    if endpoint.row.scopes.isEmpty { return nil }
    throw CommandFailure.denied(
      "no admin key: pass --key-file FILE, or set COUNCIL_ADMIN_KEY_FILE or COUNCIL_ADMIN_KEY")
  }

  private func read(_ path: String) throws -> String {
    let files = invocation.services.files
    let bytes = try files.read(path, maxBytes: 4096)
    if let mode = files.mode(path), mode & 0o077 != 0 {
      invocation.note("council: warning: others on this machine may read '\(path)': chmod 600 it")
    }
    return try checked(String(decoding: bytes, as: UTF8.self), path)
  }

  /// Its shape is checked here, so that no other secret is sent by mistake.
  private func checked(_ text: String, _ place: String) throws -> String {
    let key = String(text.drop(while: \.isWhitespace).prefix { !$0.isWhitespace })
    guard KeyText.parse(key.utf8.span) != nil else {
      throw CommandFailure.denied("'\(place)' holds no key: a key reads like ck_…")
    }
    return key
  }

  // MARK: Answers

  private static func document(_ answer: IncomingAnswer) -> JSONValue? {
    try? JSONValue.parse(answer.body.span)
  }

  private func problem(of answer: IncomingAnswer) -> any Error {
    guard let document = AdminClient.document(answer), let code = document["code"]?.string,
      let detail = document["detail"]?.string, var members = document.object
    else { return foreign(answer) }
    for standard in ["type", "title", "status", "code", "detail", "retry_after_s"] { members[standard] = nil }
    return Problem(
      answer.status, code, detail, members: members,
      retryAfterSeconds: document["retry_after_s"]?.integer.map { Int($0) })
  }

  private func foreign(_ answer: IncomingAnswer) -> CommandFailure {
    .foreign("\(base) answered \(answer.status) and not as Council's admin listener does: check --admin")
  }

  private func failure(_ failure: TransportFailure) -> CommandFailure {
    switch failure {
    case .unreachable(let why): .unreachable("no host at \(base): \(why)")
    case .timedOut: .unreachable("no answer from \(base) in \(timeout); it may still do what was asked")
    case .tls(let why): .unreachable("no secure connection to \(base): \(why)")
    case .answerTooLong: .foreign("\(base) answered more than is read")
    case .invalid(let why): .local(why)
    }
  }

  // MARK: The address

  private static func base(_ text: String, _ invocation: Invocation) throws -> String {
    let scheme = ["http://", "https://"].first { text.lowercased().hasPrefix($0) }
    var rest = text.dropFirst(scheme?.count ?? 0)
    while rest.last == "/" { rest.removeLast() }
    let isPlain = rest.utf8.allSatisfy { byte in byte > 0x20 && byte < 0x7F && !"/?#@\\".utf8.contains(byte) }
    guard let scheme, !rest.isEmpty, isPlain else {
      throw invocation.usage("'\(text)' is no address: it reads like \(defaultURL)")
    }
    let host = rest.hasPrefix("[") ? rest.prefix { $0 != "]" } + "]" : rest.prefix { $0 != ":" }
    // A name may begin like an address.
    let isLoopback =
      host.hasPrefix("127.") && host.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
    if scheme == "http://", host != "localhost", host != "[::1]", !isLoopback {
      invocation.note("council: warning: \(scheme)\(rest) sends the admin key unencrypted")
    }
    return scheme + rest
  }
}

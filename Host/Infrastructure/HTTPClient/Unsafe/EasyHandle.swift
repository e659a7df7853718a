import Application
import CCurl
import Glibc
import Kernel

/// One request by libcurl, made, performed and freed on one thread.
@safe
final class EasyHandle {
  private let curl: UnsafeMutableRawPointer

  /// Why the library cannot be used; nil when it can. Loads it, once per process.
  private static let fault: String? = unsafe ccurl_load().map { unsafe String(cString: $0) }

  init() throws(TransportFailure) {
    if let fault = EasyHandle.fault { throw .invalid(fault) }
    guard let curl = unsafe ccurl_init() else { throw .invalid("libcurl has no memory") }
    unsafe self.curl = curl
  }

  deinit { unsafe ccurl_cleanup(curl) }

  func perform(_ request: OutgoingRequest) throws(TransportFailure) -> IncomingAnswer {
    let answer = Answer(maxBytes: request.maxAnswerBytes)
    let upload = try Upload(request.body)
    var lines: UnsafeMutablePointer<curl_slist>?
    // Safe: the list is freed once, after the transfer that reads it.
    defer { unsafe ccurl_free_list(lines) }
    for (name, value) in request.headers { unsafe lines = ccurl_append(lines, "\(name): \(value)") }
    // libcurl would wait for a 100 that a local host sends at once anyway.
    unsafe lines = ccurl_append(lines, "Expect:")
    // Nor may it call an empty body a form.
    if upload == nil { unsafe lines = ccurl_append(lines, "Content-Type:") }

    // Safe: libcurl copies texts; `answer`, `upload` and `lines` outlive the transfer, which ends in this call.
    unsafe ccurl_set_text(curl, CURLOPT_URL, request.url)
    unsafe ccurl_set_text(curl, CURLOPT_CUSTOMREQUEST, request.method)
    unsafe ccurl_set_text(curl, CURLOPT_PROTOCOLS_STR, "http,https")
    unsafe ccurl_set_text(curl, CURLOPT_PROXY, "")
    unsafe ccurl_set_number(curl, CURLOPT_NOSIGNAL, 1)
    unsafe ccurl_set_number(curl, CURLOPT_TIMEOUT_MS, Int(request.timeout.nanoseconds / 1_000_000))
    unsafe ccurl_set_number(curl, CURLOPT_CONNECTTIMEOUT_MS, 5000)
    unsafe ccurl_set_pointer(curl, CURLOPT_HTTPHEADER, UnsafeMutableRawPointer(lines))
    unsafe ccurl_set_function(curl, CURLOPT_WRITEFUNCTION, takeBody)
    unsafe ccurl_set_pointer(curl, CURLOPT_WRITEDATA, Unmanaged.passUnretained(answer).toOpaque())
    unsafe ccurl_set_function(curl, CURLOPT_HEADERFUNCTION, takeHeader)
    unsafe ccurl_set_pointer(curl, CURLOPT_HEADERDATA, Unmanaged.passUnretained(answer).toOpaque())
    if request.method == "HEAD" { unsafe ccurl_set_number(curl, CURLOPT_NOBODY, 1) }
    if let upload {
      unsafe ccurl_set_number(curl, CURLOPT_UPLOAD, 1)
      unsafe ccurl_set_size(curl, CURLOPT_INFILESIZE_LARGE, curl_off_t(upload.count))
      unsafe ccurl_set_function(curl, CURLOPT_READFUNCTION, giveBody)
      unsafe ccurl_set_pointer(curl, CURLOPT_READDATA, Unmanaged.passUnretained(upload).toOpaque())
    } else if request.method == "POST" || request.method == "PUT" {
      unsafe ccurl_set_text(curl, CURLOPT_COPYPOSTFIELDS, "")
    }

    let code = unsafe ccurl_perform(curl)
    withExtendedLifetime((answer, upload)) {}
    guard code == CURLE_OK else { throw failure(code, answer) }
    return IncomingAnswer(
      status: unsafe ccurl_status(curl), headers: answer.headers, body: answer.body)
  }

  private func failure(_ code: CURLcode, _ answer: Answer) -> TransportFailure {
    if answer.isTooLong { return .answerTooLong }
    // Safe: the text is the library's own and constant.
    let reason = unsafe String(cString: ccurl_error(code))
    switch code {
    case CURLE_OPERATION_TIMEDOUT: return .timedOut
    case CURLE_URL_MALFORMAT, CURLE_READ_ERROR, CURLE_ABORTED_BY_CALLBACK:
      return .invalid(reason)
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM: return .tls(reason)
    default: return .unreachable(reason)
    }
  }
}

/// What comes back, piece by piece.
private final class Answer {
  var headers: [(name: String, value: String)] = []
  var body: [UInt8] = []
  var isTooLong = false
  private let maxBytes: Int

  init(maxBytes: Int) { self.maxBytes = maxBytes }

  func take(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    guard body.count + bytes.count <= maxBytes else {
      isTooLong = true
      return false
    }
    unsafe body.append(contentsOf: bytes)
    return true
  }

  func takeHeader(_ line: String) {
    if line.hasPrefix("HTTP/") {
      // A new head: what came before it was an interim answer.
      headers = []
      return
    }
    guard headers.count < 1000, let colon = line.firstIndex(of: ":") else { return }
    let value = line[line.index(after: colon)...]
    headers.append((line[..<colon].lowercased(), trimmed(value)))
  }

  private func trimmed(_ text: Substring) -> String {
    var text = text
    while let last = text.unicodeScalars.last, last.value <= 0x20 { text.unicodeScalars.removeLast() }
    while let first = text.unicodeScalars.first, first.value <= 0x20 { text.unicodeScalars.removeFirst() }
    return String(text)
  }
}

/// The body that goes out: bytes, or a file that is read as it is sent.
private final class Upload {
  let count: Int
  private var bytes: [UInt8] = []
  private var file: Int32 = -1
  private var sent = 0

  init?(_ body: OutgoingRequest.Body) throws(TransportFailure) {
    switch body {
    case .none: return nil
    case .bytes(let bytes):
      self.bytes = bytes
      count = bytes.count
    case .file(let path):
      let number = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
      guard number >= 0 else { throw .invalid("\(path) cannot be opened") }
      var facts = stat()
      // Safe: the kernel fills the struct of the open file.
      guard unsafe fstat(number, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
        close(number)
        throw .invalid("\(path) is not a regular file")
      }
      file = number
      count = Int(facts.st_size)
    }
  }

  deinit { if file >= 0 { close(file) } }

  func fill(_ room: UnsafeMutableRawBufferPointer) -> Int {
    if file >= 0 { return unsafe read(file, room.baseAddress, room.count) }
    let piece = min(room.count, bytes.count - sent)
    unsafe bytes.withUnsafeBytes { source in
      // Safe: both sides have at least `piece` bytes.
      unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[sent..<sent + piece]))
    }
    sent += piece
    return piece
  }
}

// Safe in all three: the context is the object that `perform` keeps alive during the transfer, and libcurl lends
// `size * count` bytes for the call.

private nonisolated func takeBody(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
  let answer = unsafe Unmanaged<Answer>.fromOpaque(context).takeUnretainedValue()
  let raw = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
  return unsafe raw.withMemoryRebound(to: UInt8.self) { unsafe answer.take($0) } ? size * count : 0
}

private nonisolated func takeHeader(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
  let answer = unsafe Unmanaged<Answer>.fromOpaque(context).takeUnretainedValue()
  let raw = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
  answer.takeHeader(unsafe String(decoding: raw, as: UTF8.self))
  return size * count
}

private nonisolated func giveBody(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  // CURL_READFUNC_ABORT.
  let abort = 0x1000_0000
  guard let bytes = unsafe bytes, let context = unsafe context else { return abort }
  let upload = unsafe Unmanaged<Upload>.fromOpaque(context).takeUnretainedValue()
  let filled = unsafe upload.fill(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
  return filled < 0 ? abort : filled
}

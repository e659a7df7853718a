import Glibc
import Kernel

/// A connection of its own: raw bytes out, one answer at a time in.
final class Connection {
  struct Answer: Sendable {
    var status: Int
    var headers: [String: String]
    var body: String

    var json: JSONValue? { try? JSONValue.parse(body.utf8.span) }
    var code: String? { json?["code"]?.string }
  }

  private let socket: Int32
  private var received: [UInt8] = []

  /// nil when nobody listens.
  init?(port: Int, timeout: Duration = .seconds(60)) {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    // Safe: the address is read during the call alone, with its own size.
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    var limit = timeval(tv_sec: Int(timeout.nanoseconds / 1_000_000_000), tv_usec: 0)
    unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    guard status == 0 else { return nil }
  }

  deinit { close(socket) }

  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      // Safe: the rest of the array is that long.
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.send(socket, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return false }
      sent += count
    }
    return true
  }

  func request(
    _ method: String, _ target: String, key: String? = nil, headers: [String] = [], body: String? = nil
  ) -> Answer? {
    var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + headers
    if let key { lines.append("Authorization: Bearer \(key)") }
    if let body {
      if !headers.contains(where: { $0.lowercased().hasPrefix("content-type") }) {
        lines.append("Content-Type: application/json")
      }
      lines.append("Content-Length: \(body.utf8.count)")
    }
    guard send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")) else { return nil }
    return answer(toHead: method == "HEAD")
  }

  /// The next answer; nil when the connection ends or nothing comes in time. One to HEAD has no body, whatever its
  /// headers say; `interim` takes a 100 as an answer too.
  func answer(toHead: Bool = false, interim: Bool = false) -> Answer? {
    while true {
      if let end = headEnd() {
        let head = String(decoding: received[..<end], as: UTF8.self)
        let lines = head.split(separator: "\r\n")
        let status =
          lines.first.flatMap { line in line.split(separator: " ").dropFirst().first.flatMap { Int($0) } }
          ?? 0
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
          if let colon = line.firstIndex(of: ":") {
            headers[line[..<colon].lowercased()] = String(
              line[line.index(after: colon)...].drop { $0 == " " })
          }
        }
        let hasBody = !toHead && status != 204 && status != 304
        let length = hasBody ? Int(headers["content-length"] ?? "0") ?? 0 : 0
        while received.count < end + 4 + length { if !more() { return nil } }
        let body = String(decoding: received[(end + 4)..<(end + 4 + length)], as: UTF8.self)
        received.removeFirst(end + 4 + length)
        if status == 100, !interim { continue }
        return Answer(status: status, headers: headers, body: body)
      }
      if !more() { return nil }
    }
  }

  /// Asks, and leaves the answer to ``hears(_:)`` and ``rest()``.
  func ask(_ target: String, key: String? = nil, version: String = "1.1") -> Bool {
    let authorization = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
    return send("GET \(target) HTTP/\(version)\r\nHost: localhost\r\n\(authorization)\r\n")
  }

  /// What came so far and was not taken as an answer.
  var heard: String { String(decoding: received, as: UTF8.self) }

  /// Reads until what came has this text; false when the connection ends, or nothing comes in time.
  func hears(_ text: String) -> Bool {
    while !heard.contains(text) { if !more() { return false } }
    return true
  }

  /// All that comes until the other side closes.
  func rest() -> String {
    while more() {}
    return heard
  }

  private func headEnd() -> Int? {
    guard received.count >= 4 else { return nil }
    for place in 0...(received.count - 4) where received[place] == 13 {
      if received[place + 1] == 10, received[place + 2] == 13, received[place + 3] == 10 { return place }
    }
    return nil
  }

  private func more() -> Bool {
    var piece = [UInt8](repeating: 0, count: 16_384)
    // Safe: the kernel writes at most the array's count.
    let count = unsafe piece.withUnsafeMutableBytes { unsafe recv(socket, $0.baseAddress, $0.count, 0) }
    if count <= 0 { return false }
    received += piece[..<count]
    return true
  }
}

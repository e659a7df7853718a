import Glibc

/// A client with a bare socket: says exactly the bytes it is given. Every wait ends after a minute.
final class Peer: @unchecked Sendable {
  // One thread at a time uses a peer.
  let descriptor: Int32
  private var pending: [UInt8] = []
  private var isOpen = true

  init(
    port: Int, receiveBuffer: Int32? = nil, from source: String = "127.0.0.1", to target: String = "127.0.0.1"
  )
    throws
  {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw Failure(call: "socket", number: errno) }
    var patience = timeval(tv_sec: 60, tv_usec: 0)
    // Safe: the option is a timeval.
    unsafe setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    if var receiveBuffer {
      unsafe setsockopt(
        descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
    }
    if source != "127.0.0.1" { try unsafe call("bind", source, 0) { unsafe bind(descriptor, $0, $1) } }
    try unsafe call("connect", target, port) { unsafe connect(descriptor, $0, $1) }
  }

  deinit { close() }

  private func call(
    _ name: String, _ host: String, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    // Safe: inet_pton writes an in_addr; the address is a sockaddr_in.
    unsafe inet_pton(AF_INET, host, &address.sin_addr)
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw Failure(call: name, number: errno) }
  }

  struct Failure: Error {
    var call: String
    var number: Int32
  }

  func close() {
    guard isOpen else { return }
    isOpen = false
    Glibc.close(descriptor)
  }

  /// Closes so that the other side gets a reset.
  func reset() {
    var now = linger(l_onoff: 1, l_linger: 0)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  func closeWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

  func send(_ text: String) { send(Array(text.utf8)) }

  /// Sends all of it, as far as the other side takes it.
  func send(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      // Safe: the rest of the array, with its count.
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.send(
          descriptor, buffer.baseAddress! + sent, buffer.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  /// What comes next; empty at the end, after a reset, and when nothing comes for a minute.
  func receive(atMost room: Int = 64 * 1024) -> [UInt8] {
    if !pending.isEmpty {
      defer { pending = [] }
      return pending
    }
    var buffer = [UInt8](repeating: 0, count: room)
    // Safe: the buffer has the room that is passed.
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
    return count > 0 ? Array(buffer[..<count]) : []
  }

  /// Everything until the other side closes.
  func receiveAll() -> String {
    var all: [UInt8] = []
    while true {
      let more = receive()
      if more.isEmpty { return String(decoding: all, as: UTF8.self) }
      all += more
    }
  }

  /// One answer; `hasBody` false for the answer to HEAD.
  func answer(hasBody: Bool = true) -> Answer? {
    var bytes: [UInt8] = []
    while true {
      if let head = Answer(head: bytes) {
        let length = hasBody ? head.length : 0
        if bytes.count >= head.end + length {
          pending = Array(bytes[(head.end + length)...])
          var answer = head
          answer.body = String(decoding: bytes[head.end..<(head.end + length)], as: UTF8.self)
          return answer
        }
      }
      let more = receive()
      if more.isEmpty { return nil }
      bytes += more
    }
  }

  /// Whether bytes, or the end, are there to be read.
  var hasAnswer: Bool { hears(within: .zero) }

  /// Waits for bytes or the end of the connection.
  func hears(within patience: Duration) -> Bool {
    var one = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let milliseconds = patience / .milliseconds(1)
    // Safe: one entry.
    return unsafe poll(&one, 1, Int32(milliseconds)) > 0
  }
}

/// An answer as it came.
struct Answer {
  var status: Int
  var headers: [String: String] = [:]
  var body = ""
  var end: Int

  var length: Int { Int(headers["content-length"] ?? "0") ?? 0 }

  init?(head bytes: [UInt8]) {
    guard let end = bytes.firstEnd else { return nil }
    self.end = end
    let lines = String(decoding: bytes[..<(end - 4)], as: UTF8.self).split(separator: "\r\n")
    let words = lines.first?.split(separator: " ") ?? []
    guard words.count >= 2, let status = Int(words[1]) else { return nil }
    self.status = status
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      headers[line[..<colon].lowercased()] = String(value)
    }
  }
}

extension [UInt8] {
  fileprivate var firstEnd: Int? {
    guard count >= 4 else { return nil }
    for index in 0...(count - 4)
    where self[index] == 13 && self[index + 1] == 10 && self[index + 2] == 13 && self[index + 3] == 10 {
      return index + 4
    }
    return nil
  }
}

/// An IPv4 address of this machine that is not loopback.
func ownAddress() -> String? {
  var first: UnsafeMutablePointer<ifaddrs>?
  // Safe: the list is read until it ends, and given back; an address of family AF_INET is a sockaddr_in.
  guard unsafe getifaddrs(&first) == 0 else { return nil }
  defer { unsafe freeifaddrs(first) }
  var next = unsafe first
  while let entry = unsafe next {
    defer { unsafe next = entry.pointee.ifa_next }
    guard let address = unsafe entry.pointee.ifa_addr, Int32(unsafe address.pointee.sa_family) == AF_INET
    else {
      continue
    }
    let text = unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
      var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
      return unsafe text.withUnsafeMutableBufferPointer { buffer in
        unsafe inet_ntop(AF_INET, &address.pointee.sin_addr, buffer.baseAddress, socklen_t(INET_ADDRSTRLEN))
          .map { unsafe String(cString: $0) }
      }
    }
    if let text, !text.hasPrefix("127.") { return text }
  }
  return nil
}

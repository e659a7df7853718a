import CHTTPEdge
import Glibc
import Kernel

/// The system's text for an error number.
enum Failure {
  static func text(_ number: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    // Safe: the call writes at most the length that is passed, with a NUL.
    return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, unsafe strerror_r(number, base, buffer.count) == 0 else {
        return "error \(number)"
      }
      return unsafe String(cString: base)
    }
  }
}

/// An accepted connection.
@safe
struct Accepted {
  var descriptor: Int32
  var address: sockaddr_storage
  var length: socklen_t
  var peer: (UInt64, UInt64)
}

extension SocketSight {
  /// nil where the kernel does not tell.
  static func of(_ descriptor: Int32) -> SocketSight? {
    var closed: Int32 = 0
    // Safe: the call fills the number.
    let bytes = unsafe chttpedge_bytes_received(descriptor, &closed)
    // The kernel counts the end of the stream as a byte.
    return bytes >= 0
      ? SocketSight(bytes: closed != 0 ? max(0, bytes - 1) : bytes, peerClosed: closed != 0) : nil
  }
}

/// The socket that connections come from.
struct Listener: Sendable {
  let descriptor: Int32
  let isOwned: Bool
  let port: Int

  init(_ listener: HTTPServerConfiguration.Listener, backlog: Int) throws(Problem) {
    switch listener {
    case .descriptor(let descriptor):
      let flags = fcntl(descriptor, F_GETFL)
      guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) >= 0 else {
        throw Problem(500, "http.listen", "Descriptor \(descriptor): \(Failure.text(errno))")
      }
      self.descriptor = descriptor
      isOwned = false
    case .address(let address, let port):
      descriptor = try Listener.open(address, port, backlog)
      isOwned = true
    }
    port = Listener.boundPort(descriptor)
  }

  private static func open(_ address: String, _ port: Int, _ backlog: Int) throws(Problem) -> Int32 {
    guard let number = UInt16(exactly: port) else {
      throw Problem(500, "http.listen", "\(port) is not a port.")
    }
    var four = sockaddr_in()
    var six = sockaddr_in6()
    // Safe: inet_pton writes an address of the family that is named.
    let isFour = unsafe inet_pton(AF_INET, address, &four.sin_addr) == 1
    let isSix = unsafe inet_pton(AF_INET6, address, &six.sin6_addr) == 1
    guard isFour || isSix else {
      throw Problem(500, "http.listen", "\(address) is not an IPv4 or IPv6 address.")
    }
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(isFour ? AF_INET : AF_INET6, type, 0)
    func fail() -> Problem {
      let cause = errno
      if descriptor >= 0 { Glibc.close(descriptor) }
      return Problem(
        500, "http.listen", "\(address) port \(port): \(Failure.text(cause))",
        members: ["in_use": .bool(cause == EADDRINUSE)])
    }
    guard descriptor >= 0 else { throw fail() }
    // A restart binds while connections of the last run are in TIME_WAIT. Not SO_REUSEPORT: a second host
    // on the port is a mistake that must show.
    set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
    let bound: Int32
    if isFour {
      four.sin_family = sa_family_t(AF_INET)
      four.sin_port = number.bigEndian
      bound = unsafe withUnsafePointer(to: &four) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    } else {
      set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0)
      six.sin6_family = sa_family_t(AF_INET6)
      six.sin6_port = number.bigEndian
      bound = unsafe withUnsafePointer(to: &six) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
        }
      }
    }
    guard bound == 0, listen(descriptor, Int32(clamping: backlog)) == 0 else { throw fail() }
    return descriptor
  }

  private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    // Safe: the option is an Int32, read before the call returns.
    _ = unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func boundPort(_ descriptor: Int32) -> Int {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    // Safe: the storage has room for every address; the family says which one it holds.
    return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
      let named = unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(descriptor, $0, &length)
      }
      guard named == 0 else { return 0 }
      switch Int32(unsafe pointer.pointee.ss_family) {
      case AF_INET:
        return unsafe pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
          Int(UInt16(bigEndian: unsafe $0.pointee.sin_port))
        }
      case AF_INET6:
        return unsafe pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
          Int(UInt16(bigEndian: unsafe $0.pointee.sin6_port))
        }
      default: return 0
      }
    }
  }

  enum Outcome {
    case connection(Accepted)
    case none
    /// The connection was gone, or the call interrupted: try again.
    case again
    case exhausted(Int32)
  }

  func accept() -> Outcome {
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    // Safe: the kernel writes at most `length` bytes.
    let descriptor = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe chttpedge_accept(self.descriptor, $0, &length)
      }
    }
    guard descriptor < 0 else {
      let peer = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe peerAddress($0) }
      }
      return .connection(Accepted(descriptor: descriptor, address: address, length: length, peer: peer))
    }
    switch errno {
    case EAGAIN: return .none
    case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(errno)
    case EBADF, EINVAL, ENOTSOCK: return .exhausted(errno)
    default: return .again
    }
  }

  func closeIfOwned() {
    if isOwned { Glibc.close(descriptor) }
  }
}

/// Sixteen bytes of address in network order, as two numbers; IPv4 is mapped into IPv6.
func peerAddress(_ address: UnsafePointer<sockaddr>?) -> (UInt64, UInt64) {
  guard let address = unsafe address else { return (0, 0) }
  // Safe: the family says which struct the address is.
  switch Int32(unsafe address.pointee.sa_family) {
  case AF_INET:
    return unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
      (0, 0xFFFF_0000_0000 | UInt64(UInt32(bigEndian: unsafe $0.pointee.sin_addr.s_addr)))
    }
  case AF_INET6:
    return unsafe address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
      unsafe withUnsafeBytes(of: $0.pointee.sin6_addr) {
        (
          UInt64(bigEndian: unsafe $0.loadUnaligned(as: UInt64.self)),
          UInt64(bigEndian: unsafe $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        )
      }
    }
  default: return (0, 0)
  }
}

/// How many descriptors the process may open.
enum DescriptorLimit {
  /// Raises the limit to at least `needed` where the system allows it; returns the limit.
  static func raise(to needed: Int) -> Int {
    var limit = rlimit()
    // Safe: both calls read or fill the struct.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    guard limit.rlim_cur < rlim_t(needed) else { return Int(clamping: limit.rlim_cur) }
    var wanted = limit
    wanted.rlim_cur = rlim_t(needed)
    wanted.rlim_max = max(limit.rlim_max, rlim_t(needed))
    if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &wanted) == 0 { return needed }
    // Beyond the hard limit only with the privilege: take what there is.
    wanted = limit
    wanted.rlim_cur = min(limit.rlim_max, rlim_t(needed))
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &wanted)
    return Int(clamping: wanted.rlim_cur)
  }
}

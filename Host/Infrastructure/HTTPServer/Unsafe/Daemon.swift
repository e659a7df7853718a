import Application
import CHTTPEdge
import Glibc
import Kernel

/// The library's daemon: event threads without a listening socket.
@safe
final class Daemon: @unchecked Sendable {
  // Written in init only; the library's calls on it may come from any thread.
  private let daemon: OpaquePointer
  private let server: Unmanaged<HTTPServer>
  private let tls: TLSMaterial?
  private let threads: Int

  static func threads(_ configuration: HTTPServerConfiguration) -> Int {
    configuration.threads > 0 ? configuration.threads : max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  }

  init(_ server: HTTPServer, tls: TLSMaterial?) throws(Problem) {
    precondition(
      MemoryLayout<Field>.size == MemoryLayout<chttpedge_field>.size
        && MemoryLayout<Field>.stride == MemoryLayout<chttpedge_field>.stride)
    self.tls = tls
    unsafe self.server = .passRetained(server)
    let configuration = server.configuration
    var options = unsafe chttpedge_options()
    threads = Daemon.threads(configuration)
    unsafe options.threads = UInt32(threads)
    unsafe options.connections = UInt32(configuration.maxConnections)
    unsafe options.connection_memory = configuration.connectionMemory
    unsafe options.stack_bytes = 1024 * 1024
    if let tls {
      unsafe options.certificate = UnsafePointer(tls.certificate)
      unsafe options.key = UnsafePointer(tls.key)
      unsafe options.priorities = UnsafePointer(tls.priorities)
    }
    var calls = unsafe chttpedge_calls(
      opened: edgeOpened, closed: edgeClosed, targeted: edgeTargeted, request: edgeRequest,
      completed: edgeCompleted, more: edgeMore, faulted: edgeFaulted, came_round: edgeCameRound,
      logged: edgeLogged)
    // Safe: options and calls are copied; the server stays retained until `stop`, the PEM text as long as self.
    guard let daemon = unsafe chttpedge_start(&options, &calls, self.server.toOpaque()) else {
      let cause = server.lastLibraryMessage.withLock { $0 }
      unsafe self.server.release()
      throw Problem(
        500, tls == nil ? "http.listen" : "http.tls", "The HTTP library does not start: \(cause)")
    }
    unsafe self.daemon = daemon
    if chttpedge_interposed() == 0 {
      server.log.log(
        .warning, "http", "Malformed requests are answered with HTML: the library binds to itself")
    }
  }

  /// Hands over an accepted socket. False: it was closed.
  func add(_ accepted: Accepted) -> Bool {
    var address = accepted.address
    // Safe: the address is copied by the call; the storage is large enough for `length`.
    return unsafe withUnsafePointer(to: &address) { address in
      unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe chttpedge_add(daemon, accepted.descriptor, address, accepted.length) == 1
      }
    }
  }

  /// Makes an event thread tell ``Rounds`` when it comes round. False: the system has no descriptor for it. [any]
  func nudge(_ thread: Int) -> Bool {
    unsafe chttpedge_nudge(daemon, UInt32(thread), UInt32(threads)) == 1
  }

  /// Ends the event threads. Once; no connection may be suspended, and nobody may be resuming one.
  func stop() {
    unsafe chttpedge_stop(daemon)
    unsafe server.release()
  }
}

// MARK: - Calls of the library

private nonisolated func edgeOpened(
  _ server: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ descriptor: Int32,
  _ peer: UnsafePointer<sockaddr>?
) -> UnsafeMutableRawPointer? {
  guard let server = unsafe server, let connection = unsafe connection else { return nil }
  // Safe: the pointer is the server that Daemon retained; the link is kept by the server's list.
  let link = unsafe Unmanaged<HTTPServer>.fromOpaque(server).takeUnretainedValue().takeLink()
  unsafe link.open(Wire(connection, descriptor: descriptor), peer: peerAddress(peer))
  return unsafe Unmanaged.passUnretained(link).toOpaque()
}

private nonisolated func edgeClosed(_ link: UnsafeMutableRawPointer?) {
  // Safe: here and below the pointer is what edgeOpened returned, and the server keeps every link.
  guard let link = unsafe link else { return }
  let closing = unsafe Unmanaged<Link>.fromOpaque(link).takeUnretainedValue()
  closing.close()
  closing.server.giveBack(closing)
}

private nonisolated func edgeTargeted(_ link: UnsafeMutableRawPointer?, _ target: UnsafePointer<CChar>?) {
  guard let link = unsafe link, let target = unsafe target else { return }
  unsafe Unmanaged<Link>.fromOpaque(link)._withUnsafeGuaranteedRef { unsafe $0.targeted(TargetText(target)) }
}

private nonisolated func edgeRequest(
  _ link: UnsafeMutableRawPointer?, _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?,
  _ bytes: UnsafePointer<UInt8>?, _ count: Int
) -> Int32 {
  guard let link = unsafe link, let method = unsafe method, let version = unsafe version else { return 0 }
  let line = unsafe Wire.Line(method: method, version: version)
  return unsafe Unmanaged<Link>.fromOpaque(link)._withUnsafeGuaranteedRef {
    // Safe: the library lends `count` bytes for the length of this call.
    unsafe $0.turn(line, bytes: UnsafeBufferPointer(start: bytes, count: bytes == nil ? 0 : count).span)
  } ? 1 : 0
}

private nonisolated func edgeCompleted(_ link: UnsafeMutableRawPointer?, _ sent: Int32) {
  guard let link = unsafe link else { return }
  unsafe Unmanaged<Link>.fromOpaque(link)._withUnsafeGuaranteedRef { $0.finish(sent: sent != 0) }
}

private nonisolated func edgeMore(
  _ link: UnsafeMutableRawPointer?, _ bytes: UnsafeMutablePointer<CChar>?, _ room: Int
) -> Int {
  guard let link = unsafe link, let bytes = unsafe bytes else { return Int(CHTTPEDGE_MORE_BROKEN) }
  let next = unsafe Unmanaged<Link>.fromOpaque(link)._withUnsafeGuaranteedRef { link in
    link.next(upTo: room) { piece in
      // Safe: the library lends `room` bytes for the length of this call, and a piece has no more.
      unsafe piece.withUnsafeBytes { unsafe _ = memcpy(bytes, $0.baseAddress!, $0.count) }
    }
  }
  return switch next {
  case .bytes(let count): count
  case .wait: Int(CHTTPEDGE_MORE_LATER)
  case .end: Int(CHTTPEDGE_MORE_NONE)
  case .broken: Int(CHTTPEDGE_MORE_BROKEN)
  }
}

private nonisolated func edgeFaulted(_ link: UnsafeMutableRawPointer?, _ status: UInt32) -> Int32 {
  guard let link = unsafe link else { return 0 }
  return unsafe Unmanaged<Link>.fromOpaque(link)._withUnsafeGuaranteedRef { $0.faulted(status: Int(status)) }
    ? 1 : 0
}

private nonisolated func edgeCameRound(_ server: UnsafeMutableRawPointer?, _ thread: UInt32) {
  guard let server = unsafe server else { return }
  // Safe: the pointer is the server that Daemon retained.
  unsafe Unmanaged<HTTPServer>.fromOpaque(server).takeUnretainedValue().rounds.came(Int(thread))
}

private nonisolated func edgeLogged(_ server: UnsafeMutableRawPointer?, _ text: UnsafePointer<CChar>?) {
  guard let server = unsafe server, let text = unsafe text else { return }
  // Safe: the pointer is the server that Daemon retained; the text ends with a NUL.
  let line = unsafe String(cString: text)
  unsafe Unmanaged<HTTPServer>.fromOpaque(server).takeUnretainedValue().libraryLogged(line)
}

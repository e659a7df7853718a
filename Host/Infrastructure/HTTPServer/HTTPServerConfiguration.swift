package import Application

/// What one listener is made of. Every limit has a default that suits a host behind agents and load balancers.
package struct HTTPServerConfiguration: Sendable {
  /// Where connections come from.
  package enum Listener: Sendable, Equatable {
    /// Binds an IPv4 or IPv6 address; `::` takes both families. Port 0 lets the kernel choose:
    /// ``HTTPServer/port`` tells.
    case address(String, port: Int)
    /// A socket that somebody else opened, bound and listens on. The server accepts from it and never closes it
    /// or shuts it down: its owner keeps it while hosts come and go.
    case descriptor(Int32)
  }

  /// Certificate chain and private key, PEM files, read when the server starts.
  package struct TLS: Sendable, Equatable {
    package var certificateFile: String
    package var keyFile: String
    /// GnuTLS priority string. The default takes TLS 1.2 and 1.3 with forward secrecy.
    package var priorities: String

    package static let defaultPriorities =
      "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:%SERVER_PRECEDENCE"

    package init(
      certificateFile: String, keyFile: String, priorities: String = TLS.defaultPriorities
    ) {
      self.certificateFile = certificateFile
      self.keyFile = keyFile
      self.priorities = priorities
    }
  }

  package var listener: Listener
  package var tls: TLS?
  /// Event threads; 0 takes one for each core.
  package var threads = 0
  /// Connections that the kernel keeps until they are accepted.
  package var backlog = 4096
  /// Open connections at a time; further ones wait in the backlog.
  package var maxConnections = 10_240
  /// Open connections from one address, 0 for no limit; a further one is closed at once. Loopback peers are
  /// exempt: behind a proxy on the same machine every client has that address.
  package var maxConnectionsPerAddress = 512
  /// Request line and headers: more is answered 431. So are headers whose bookkeeping, 48 bytes each, is more
  /// than 2 KiB beyond what the head leaves of this. A connection holds this and 4 KiB; the library clears
  /// that memory between two requests, so it costs time, too (0.1 µs for each KiB).
  package var maxHeadBytes = 8 * 1024
  /// Headers of one request: more are answered 431.
  package var maxHeaders = 100
  /// Requests whose handler outlives its connection hold their exchange; so many are possible at a time.
  package var exchangeSlack = 1024
  /// Memory that the buffers of one connection keep from one request to the next.
  package var keptBytes = 256 * 1024

  /// A connection without a request is closed after this.
  package var idleTimeout = Duration.seconds(75)
  /// From the first byte of a request to the end of its head, in total.
  package var headTimeout = Duration.seconds(10)
  /// From the end of the head to the end of the body: this, and the time the bytes that came take at
  /// ``minimumBytesPerSecond``.
  package var bodyTimeout = Duration.seconds(30)
  /// From the answer to its last byte in the kernel's hands: this, and the time its bytes take at
  /// ``minimumBytesPerSecond``.
  package var sendTimeout = Duration.seconds(30)
  package var minimumBytesPerSecond = 64 * 1024
  /// What bounds answers that are streams, unless the server is given exchanges that say so themselves.
  package var streams = AnswerStreams.Limits()
  /// While the server drains, a connection that has been quiet for this long is closed.
  package var drainIdle = Duration.milliseconds(250)
  /// Closing sockets at a time whose peer may still read its last answer, and for how long; a further one is closed
  /// at once. While the server drains, the connection of a stream that has ended is kept no longer without its client taking
  /// something.
  package var maxLingering = 256
  package var lingerTime = Duration.seconds(3)

  /// What a connection has for a head, its bookkeeping, and the head of the answer.
  var connectionMemory: Int { maxHeadBytes + HTTPServerConfiguration.bookkeeping + 2048 }

  /// What the library keeps for one header of a request, and how much of that is granted beyond the head.
  static let bytesPerHeader = 48
  static let bookkeeping = 2048

  package init(_ listener: Listener, tls: TLS? = nil) {
    self.listener = listener
    self.tls = tls
  }
}

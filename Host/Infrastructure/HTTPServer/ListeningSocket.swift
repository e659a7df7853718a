package import Kernel

/// A socket that outlives the servers which accept from it.
package enum ListeningSocket {
  /// Binds and listens where the configuration says; the descriptor is the caller's. Throws `http.listen` (500).
  package static func open(_ configuration: HTTPServerConfiguration) throws(Problem) -> Int32 {
    try Listener(configuration.listener, backlog: configuration.backlog).descriptor
  }
}

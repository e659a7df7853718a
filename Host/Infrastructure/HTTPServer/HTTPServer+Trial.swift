package import Kernel

extension HTTPServer {
  /// Binds what a configuration names, and lets go of it again: whether a server could listen there now. Throws
  /// `http.listen` with the cause; the member `in_use` says whether somebody else listens there.
  package static func tryListening(_ configuration: HTTPServerConfiguration) throws(Problem) {
    let listener = try Listener(configuration.listener, backlog: configuration.backlog)
    listener.closeIfOwned()
  }
}

package import Application

/// ``HTTPTransport`` on libcurl's easy interface: a connection per request, for commands that send one or two.
package final class CurlTransport: HTTPTransport {
  package init() {}

  package func send(_ request: OutgoingRequest) throws(TransportFailure) -> IncomingAnswer {
    guard request.url.hasPrefix("http://") || request.url.hasPrefix("https://") else {
      throw .invalid("the address must start with http:// or https://")
    }
    let handle = try EasyHandle()
    return try handle.perform(request)
  }
}

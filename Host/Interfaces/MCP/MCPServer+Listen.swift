import Application
import Domain
import Kernel

extension MCPServer {
  /// The answer to `subscriptions/listen` is a stream that ends with this host, or before.
  func listen(
    _ request: MCPRequest, _ parameters: Parameters, _ root: borrowing JSONElement
  ) throws(RPCFault) -> OwnAnswer {
    let (exchange, id) = (request.exchange, request.thread.id)
    let wishes = try ListenRequest(root, parameters, id: String(id.span(id.all)))
    guard MCPServer.takesEvents(exchange) else {
      throw .problem(
        Problem(406, "request.not_acceptable", "The answer is a stream: Accept must name text/event-stream."))
    }
    do throws(Problem) {
      exchange.status = 200
      exchange.addHeader("Content-Type", "text/event-stream")
      let stream = try exchange.beginStream(.events)
      stream.translate(by: ListenTranslator(wishes))
      do throws(Problem) {
        try listeners.add(
          .init(stream: stream, wishes: wishes, caller: request.callerName, access: request.caller))
      } catch {
        stream.abort()
        throw error
      }
    } catch {
      throw .problem(error)
    }
    return .answered
  }

  private static func takesEvents(_ exchange: Exchange) -> Bool {
    guard exchange.has(.accept) else { return true }
    let head = exchange.head
    let accept = String(head.span(exchange[.accept])).lowercased()
    return accept.contains("text/event-stream") || accept.contains("*/*")
  }
}

extension MCPRequest {
  /// Whose listeners are counted together.
  var callerName: String {
    guard let grant = caller.grant else { return "address \(exchange.peer.0) \(exchange.peer.1)" }
    return "key \(caller.table.id(of: grant).words)"
  }
}

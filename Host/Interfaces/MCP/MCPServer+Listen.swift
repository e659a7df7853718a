import Application
import Domain
import Kernel

extension MCPServer {
  /// The answer to `subscriptions/listen` is a stream that ends with this host, or before.
  func listen(
    _ request: MCPRequest, _ parameters: Parameters, _ root: borrowing JSONElement
  ) throws(RPCFault) -> OwnAnswer {
    let (exchange, id) = (request.exchange, request.thread.id)
    let words = try ListenRequest(root, parameters, id: String(id.span(id.all)))
    guard !exchange.has(.accept) || accepts(exchange, "text/event-stream", "*/*") else {
      throw .problem(MCPServer.notAcceptable)
    }
    do throws(Problem) {
      try listen(exchange, words, translatedBy: ListenTranslator(words), of: request)
    } catch {
      throw .problem(error)
    }
    return .answered
  }

  /// A GET of the era before opens the stream on which its clients hear what no request of theirs asked for. Who does not
  /// say that it wants one is no such client.
  func listen(_ request: MCPRequest) -> OwnAnswer {
    let exchange = request.exchange
    request.thread.id.removeAll(retaining: 1024)
    do throws(RPCFault) {
      guard origins.allow(exchange) else { throw .problem(AllowedOrigins.refusal) }
      let headers = RoutingHeaders(exchange)
      // There is no HEAD of a stream; the present era has no GET.
      guard try Negotiation.era(nil, Parameters(), headers, exchange.head) == .previous,
        exchange.method == .get
      else { throw .problem(MCPServer.notListening) }
      guard accepts(exchange, "text/event-stream") else { throw .problem(MCPServer.notAcceptable) }
      let head = exchange.head
      let words = GetListener(
        exchange, caller: request.callerName,
        takesPrimers: headers.hasVersion && head.span(headers.version).isEqual(to: "2025-11-25"))
      do throws(Problem) { try listen(exchange, words, of: request) } catch {
        throw .problem(error)
      }
    } catch {
      RPCAnswer.send(error, id: request.thread.id, .previous, exchange, request.thread.out)
      if error.status == 405 { exchange.addHeader("Allow", "POST") }
    }
    return .answered
  }

  private func listen(
    _ exchange: Exchange, _ words: any ListenerWords, translatedBy translator: ListenTranslator? = nil,
    of request: MCPRequest
  ) throws(Problem) {
    exchange.status = 200
    exchange.addHeader("Content-Type", "text/event-stream")
    let stream = try exchange.beginStream(.events)
    if let translator { stream.translate(by: translator) }
    do throws(Problem) {
      try listeners.add(
        .init(stream: stream, words: words, caller: request.callerName, access: request.caller))
    } catch {
      stream.abort()
      throw error
    }
  }

  private static let notAcceptable = Problem(
    406, "request.not_acceptable", "The answer is a stream: Accept must name text/event-stream.")

  private static let notListening = Problem(
    405, "request.method_not_allowed",
    "This path takes POST. A GET opens a stream for clients of the revisions before 2026-07-28; later ones send subscriptions/listen."
  )

  private func accepts(_ exchange: Exchange, _ types: String...) -> Bool {
    let head = exchange.head
    let accept = String(head.span(exchange[.accept])).lowercased()
    return types.contains { accept.contains($0) }
  }
}

extension MCPRequest {
  /// Whose listeners are counted together.
  var callerName: String {
    guard let grant = caller.grant else { return "address \(exchange.peer.0) \(exchange.peer.1)" }
    return "key \(caller.table.id(of: grant).words)"
  }
}

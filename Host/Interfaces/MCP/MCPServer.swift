package import Application
import Domain
package import Kernel

/// The Model Context Protocol at `/mcp`: every route is a tool, every shown collection a resource.
///
/// Two eras at one path: the revision of 2026-07-28, in which every request stands for itself, and the ones before, which
/// begin with `initialize`. Of both the host keeps nothing from one request to the next; ``Negotiation`` tells them apart.
/// A tool's call becomes the request of its route in the same exchange, so it costs what that costs and a translation.
package final class MCPServer: OwnPath {
  /// Where the endpoint is, and what it takes.
  package struct Site: Sendable {
    package var settings: HostConfiguration.MCP
    /// Of the host, as clients show it.
    package var version: String
    /// Where clients reach the host; empty: what their Host header says, with or without TLS.
    package var serverURL: String
    package var hasTLS: Bool
    /// Whether the metadata, which everybody may read, names the scopes of routes.
    package var showsScopes: Bool
    /// Levels of a body; a message adds its own.
    package var jsonDepth: Int
    /// After what time a call becomes a job; nil: none does.
    package var jobAfter: Duration?

    package init(
      _ settings: HostConfiguration.MCP, version: String = "0", serverURL: String = "", hasTLS: Bool = false,
      showsScopes: Bool = true, jsonDepth: Int = JSONDocument.defaultMaxDepth, jobAfter: Duration? = nil
    ) {
      self.settings = settings
      self.version = version
      self.serverURL = serverURL
      self.hasTLS = hasTLS
      self.showsScopes = showsScopes
      self.jsonDepth = jsonDepth
      self.jobAfter = jobAfter
    }
  }

  private enum Place {
    case endpoint, changes, hostMetadata, endpointMetadata, preflight
  }

  package let routes: [OwnRoute]
  /// What those are.
  private let places: [Place]
  let settings: HostConfiguration.MCP
  let jobAfter: Duration?
  let answers: RPCAnswer
  let metadata: ResourceMetadata
  let pages: ListPages
  let origins: AllowedOrigins
  let listeners: Listeners
  let threads: ThreadSlots<MCPThread>
  let calls: RunningCalls

  package init(_ site: Site, _ listeners: Listeners) {
    self.listeners = listeners
    let settings = site.settings
    self.settings = settings
    jobAfter = site.jobAfter
    answers = RPCAnswer(version: site.version)
    metadata = ResourceMetadata(site)
    pages = ListPages(
      maxPages: settings.keptPages, maxBytes: settings.keptPageBytes, jobAfter: site.jobAfter)
    calls = RunningCalls(most: settings.keptCalls)
    origins = AllowedOrigins(settings.origins)
    let depth = site.jsonDepth + MCPServer.envelopeLevels
    threads = ThreadSlots { _ in MCPThread(jsonDepth: depth) }
    let key: OwnRoute.Key = settings.takesAnonymous ? .optional : .required
    var table: [(Place, OwnRoute)] = [
      (
        .endpoint,
        OwnRoute(
          .post, "/mcp", key: key, maxBodyBytes: settings.maxBodyBytes, manual: MCPServer.messageManual)
      ),
      (.hostMetadata, OwnRoute(.get, ResourceMetadata.path, key: .none)),
      (.endpointMetadata, OwnRoute(.get, ResourceMetadata.path + "/mcp", key: .none)),
    ]
    if settings.tellsOfChanges {
      table.append((.changes, OwnRoute(.get, "/mcp", key: key, manual: MCPServer.changesManual)))
    }
    if !settings.origins.isEmpty { table.append((.preflight, OwnRoute(.options, "/mcp", key: .none))) }
    places = table.map(\.0)
    routes = table.map(\.1)
  }

  /// The message, its params, their arguments.
  private static let envelopeLevels = 3

  package func answer(
    _ exchange: Exchange, _ number: Int, _ caller: Caller, _ snapshot: Snapshot
  ) throws(Problem) -> OwnAnswer {
    switch places[number] {
    case .endpoint:
      let request = MCPRequest(exchange, caller, snapshot, threads.current)
      let answer = serve(request)
      // What a call answers gets its headers with that answer.
      switch answer {
      case .answered, .told: origins.mark(exchange)
      case .call, .job, .pending: break
      }
      return answer
    case .changes:
      let answer = listen(MCPRequest(exchange, caller, snapshot, threads.current))
      origins.mark(exchange)
      return answer
    case .hostMetadata:
      send(metadata.document(of: "", exchange, scopes: pages.indexes(snapshot).scopes), exchange)
    case .endpointMetadata:
      send(metadata.document(of: "/mcp", exchange, scopes: pages.indexes(snapshot).scopes), exchange)
    case .preflight: origins.answerPreflight(exchange)
    }
    return .answered
  }

  /// A caller that is not let in learns where tokens come from, in the form that the protocol's clients read.
  package func refused(
    _ exchange: Exchange, _ number: Int, _ problem: Problem, _ snapshot: @autoclosure () -> Snapshot
  ) {
    guard places[number] == .endpoint || places[number] == .changes else { return }
    let thread = threads.current
    thread.id.removeAll()
    RPCAnswer.send(.problem(problem), id: thread.id, .modern, exchange, thread.out)
    if let seconds = problem.retryAfterSeconds { exchange.addHeader("Retry-After", String(seconds)) }
    if problem.status == 401 {
      let isMissing = problem.code == "access.key_missing"
      exchange.addHeader(
        "WWW-Authenticate",
        metadata.challenge(
          exchange, error: isMissing ? nil : "invalid_token",
          scope: metadata.wantsScopes ? pages.indexes(snapshot()).scopeWords : nil))
    }
    origins.mark(exchange)
  }

  // MARK: One message

  private func serve(_ request: MCPRequest) -> OwnAnswer {
    let (exchange, thread) = (request.exchange, request.thread)
    let (head, body, json) = (exchange.head, exchange.body, thread.json)
    thread.id.removeAll(retaining: 1024)
    var era = Era.modern
    do throws(RPCFault) {
      guard origins.allow(exchange) else { throw .problem(AllowedOrigins.refusal) }
      if exchange.has(.contentType), !MediaType.isJSON(head.span(exchange[.contentType])) {
        throw .problem(Problem(415, "request.media_type", "The body must be application/json."))
      }
      do throws(JSONError) { try json.parse(body.span(body.all)) } catch {
        throw .unreadable(error.explanation)
      }
      return try serve(request, json.root, &era)
    } catch {
      RPCAnswer.send(error, id: thread.id, era, exchange, thread.out)
      return .answered
    }
  }

  private func serve(
    _ request: MCPRequest, _ root: borrowing JSONElement, _ era: inout Era
  ) throws(RPCFault) -> OwnAnswer {
    let thread = request.thread
    let message: Message
    do throws(RPCFault) { message = try Message.read(root) } catch {
      let id = Message.readID(root)
      if id > 0 { thread.id.append(json: root.value(at: id)) }
      throw error
    }
    if message.id > 0 { thread.id.append(json: root.value(at: message.id)) }
    let headers = RoutingHeaders(request.exchange)
    let head = request.exchange.head
    let parameters = try Parameters.read(message, root)
    let method = message.kind == .response ? nil : Method(root.value(at: message.method))
    era = try Negotiation.era(method, parameters, headers, head)
    guard message.kind == .request else {
      // Nothing waits for an answer of a client's; of what clients tell, one thing concerns the host.
      if message.kind == .response, era == .modern {
        throw .notAMessage("This host asks nothing that a response could answer.")
      }
      if message.kind == .notification, era == .previous { cancelCall(request, message, root) }
      request.exchange.status = 202
      return .answered
    }
    if era == .modern { try Negotiation.check(message, method, parameters, headers, root, head) }
    guard let method, method.exists(in: era) else {
      throw .unknownMethod(root.value(at: message.method).string ?? "")
    }
    switch method {
    case .callTool: return try callTool(request, parameters, root, era)
    case .listTools, .listResources, .listTemplates:
      try list(method, request, parameters, root, era)
    case .readResource: return try readResource(request, parameters, root, era)
    case .discover: discover(request)
    case .initialize: initialize(request, parameters, root)
    case .ping: answers.send([], id: thread.id, era, request.exchange, thread.out)
    case .listen: return try listen(request, parameters, root)
    }
    return .answered
  }

  /// `notifications/cancelled`; in the modern era a call ends with its connection.
  private func cancelCall(_ request: MCPRequest, _ message: Message, _ root: borrowing JSONElement) {
    guard message.params > 0,
      root.value(at: message.method).utf8?.isEqual(to: "notifications/cancelled") == true,
      let id = root.value(at: message.params).member("requestId".utf8.span)
    else { return }
    let text = Arena(capacity: 64)
    text.append(json: id)
    if let name = request.call(text) { calls.cancel(name) }
  }

  private func send(_ document: JSONValue, _ exchange: Exchange) {
    exchange.status = 200
    exchange.addHeader("Content-Type", "application/json")
    exchange.addHeader("Cache-Control", "no-cache")
    // Public, and read by scripts of any page that looks for a way in.
    exchange.addHeader("Access-Control-Allow-Origin", "*")
    exchange.answerBody.append(json: document)
  }
}

/// One request to `/mcp`, and what its thread has for it.
struct MCPRequest {
  let exchange: Exchange
  let caller: Caller
  let snapshot: Snapshot
  let thread: MCPThread

  init(_ exchange: Exchange, _ caller: Caller, _ snapshot: Snapshot, _ thread: MCPThread) {
    self.exchange = exchange
    self.caller = caller
    self.snapshot = snapshot
    self.thread = thread
  }
}

/// What one event thread owns, so that calls need no lock and no memory of their own.
final class MCPThread {
  let json: JSONDocument
  /// `{}`: the arguments of a call that brings none.
  let nothing = JSONDocument()
  /// The present message's id, as JSON; empty where it has none.
  let id = Arena(capacity: 64)
  let out = Arena(capacity: 4096)
  let target = Arena(capacity: 512)
  let body = Arena(capacity: 1024)
  private var spare: [ToolCall] = []

  init(jsonDepth: Int) {
    json = JSONDocument(maxDepth: jsonDepth)
    do throws(JSONError) { try nothing.parse("{}".utf8.span) } catch {
      preconditionFailure("{} is JSON")
    }
  }

  func take() -> ToolCall { spare.popLast() ?? ToolCall() }

  func giveBack(_ call: ToolCall) {
    if spare.count < 64 { spare.append(call) }
  }
}

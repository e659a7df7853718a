import Application
import Domain
import Kernel

extension MCPServer {
  func list(
    _ method: Method, _ request: MCPRequest, _ parameters: Parameters, _ root: borrowing JSONElement,
    _ era: Era
  ) throws(RPCFault) {
    var after: String?
    if parameters.cursor > 0, root.value(at: parameters.cursor).kind != .null {
      after = try ListCursor.name(root.value(at: parameters.cursor), maxBytes: settings.maxCursorBytes)
    }
    let elicits = era == .modern && Elicitation.canAsk(root, parameters)
    let key = ListPages.Key(
      method: method, scopes: request.caller.scopes, era: era, elicits: elicits, after: after)
    let page = pages.page(key, version: request.snapshot.version) {
      let age = era == .modern ? settings.listMilliseconds : nil
      let (all, caller, limit) = (pages.indexes(request.snapshot), request.caller, settings.page)
      return switch method {
      case .listTools:
        all.tools.page(after: after, limit: limit) { all.shows($0, to: caller) }
          .members("tools", age: age) { ToolList.tool($0, era, elicits: elicits, jobAfter: jobAfter) }
      case .listResources:
        all.resources.page(after: after, limit: limit) { ResourceList.may(caller, $0) }
          .members("resources", age: age, ResourceList.json)
      default:
        all.templates.page(after: after, limit: limit) { ResourceList.may(caller, $0.shown) }
          .members("resourceTemplates", age: age, ResourceList.json)
      }
    }
    answers.send(page, id: request.thread.id, era, request.exchange, request.thread.out)
  }

  // MARK: Who answers

  private var capabilities: JSONValue {
    let what: JSONValue = settings.tellsOfChanges ? ["listChanged": true] : [:]
    return ["tools": what, "resources": what]
  }

  func discover(_ request: MCPRequest) {
    let members: JSONValue = [
      "supportedVersions": .array(Revision.all.map(JSONValue.string)),
      "capabilities": capabilities,
      "instructions": .string(Instructions.text(request.snapshot, request.caller)),
      "ttlMs": .integer(Int64(settings.listMilliseconds)), "cacheScope": "private",
    ]
    answers.send(
      Array(JSON.encode(members).dropFirst().dropLast()), id: request.thread.id, .modern, request.exchange,
      request.thread.out)
  }

  func initialize(_ request: MCPRequest, _ parameters: Parameters, _ root: borrowing JSONElement) {
    let requested = parameters.protocolVersion > 0 ? root.value(at: parameters.protocolVersion).string : nil
    let members: JSONValue = [
      "protocolVersion": .string(Negotiation.settle(requested)),
      "capabilities": capabilities,
      "serverInfo": answers.server,
      "instructions": .string(Instructions.text(request.snapshot, request.caller)),
    ]
    answers.send(
      Array(JSON.encode(members).dropFirst().dropLast()), id: request.thread.id, .previous, request.exchange,
      request.thread.out)
    // Some clients listen only in a session. This one is a name that the host makes up and forgets: it stands for no state,
    // lets nobody in, and is as good at every other host.
    var random = SystemRandomNumberGenerator()
    let session = [random.next(), random.next()].map { (word: UInt64) in
      let text = String(word, radix: 16)
      return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
    request.exchange.addHeader("Mcp-Session-Id", session.joined())
  }
}

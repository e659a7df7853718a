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
        all.tools.page(after: after, limit: limit) { caller.may($0) }
          .members("tools", age: age) { ToolList.tool($0, era, elicits: elicits) }
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

  func discover(_ request: MCPRequest) {
    let members: JSONValue = [
      "supportedVersions": .array(Revision.all.map(JSONValue.string)),
      "capabilities": ["tools": ["listChanged": true], "resources": ["listChanged": true]],
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
      // Nothing is told unasked in this era: that would need a session.
      "capabilities": ["tools": [:], "resources": [:]],
      "serverInfo": answers.server,
      "instructions": .string(Instructions.text(request.snapshot, request.caller)),
    ]
    answers.send(
      Array(JSON.encode(members).dropFirst().dropLast()), id: request.thread.id, .previous, request.exchange,
      request.thread.out)
  }
}

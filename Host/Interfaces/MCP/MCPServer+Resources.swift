import Application
import Domain
import Kernel

extension MCPServer {
  /// Reads a page of records, or one. On this thread, as the routes do that are inline: by the primary key.
  func readResource(
    _ request: MCPRequest, _ parameters: Parameters, _ root: borrowing JSONElement, _ era: Era
  ) throws(RPCFault) {
    guard parameters.uri > 0, let text = root.value(at: parameters.uri).string else {
      throw .parameters("params.uri must be the URI of a resource.")
    }
    guard let uri = ResourceURI(text), let shown = ResourceList.find(uri, request.snapshot) else {
      throw MCPServer.noResource(text, era)
    }
    guard ResourceList.may(request.caller, shown) else {
      _ = refuse(request, scope: shown.scope, era)
      return
    }
    let json: [UInt8]
    do throws(Problem) { json = try read(uri, shown, request.exchange.started) } catch {
      switch error.status {
      case 404: throw MCPServer.noResource(text, era)
      case ..<500: throw .parameters(error.detail, data: ["code": .string(error.code)])
      default: throw RPCFault(-32603, error.detail, status: error.status, data: ["code": .string(error.code)])
      }
    }
    let out = request.thread.out
    answers.begin(request.thread.id, era, to: out)
    out.append("\"contents\":[{\"uri\":")
    out.append(jsonString: text.utf8.span)
    out.append(",\"mimeType\":\"application/json\",\"text\":")
    out.append(jsonString: json.span)
    out.append("}]")
    if era == .modern { out.append(",\"ttlMs\":0,\"cacheScope\":\"private\"") }
    out.append("}}")
    RPCAnswer.send(out, request.exchange)
  }

  private func read(
    _ uri: ResourceURI, _ shown: ResourceList.Shown, _ now: Instant
  ) throws(Problem) -> [UInt8] {
    let generation = shown.automation.generation
    guard let records = generation.records, let number = records.collection(named: uri.collection) else {
      throw Problem(404, "records.unknown_collection", "There is no such collection.")
    }
    let seconds = generation.account.secondsClosed(at: now)
    if seconds > 0 { throw AutomationAccount.overBudget(seconds) }
    guard generation.enter() else {
      throw Problem(
        503, "automation.changing", "The automation is being replaced. Send the request again.",
        retryAfterSeconds: 1)
    }
    defer { generation.leave() }
    // Nothing beside what the manifest names: a field that comes with the next version is not shown by itself.
    var query: [String: JSONValue] = [
      "fields": .array((["id"] + shown.collection.resourceFields).map(JSONValue.string))
    ]
    if let id = uri.id {
      return try records.call(
        .get, collection: number, key: id.utf8.span, input: JSON.encode(JSONValue.object(query)).span,
        expectedVersion: 0
      ).json
    }
    query["limit"] = .integer(Int64(settings.resourcePage))
    if let after = uri.after { query["after"] = .string(after) }
    return try records.call(
      .find, collection: number, key: [UInt8]().span, input: JSON.encode(JSONValue.object(query)).span,
      expectedVersion: 0
    ).json
  }

  private static func noResource(_ uri: String, _ era: Era) -> RPCFault {
    // The code of the era before, which the modern one does not use again.
    RPCFault(
      era == .modern ? -32602 : -32002, "Resource not found", status: 400,
      data: ["uri": .string(String(uri.prefix(200)))])
  }
}

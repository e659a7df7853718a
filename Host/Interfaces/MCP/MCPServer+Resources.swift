import Application
import Domain
import Kernel

extension MCPServer {
  /// Reads a page of records, or one, as long as an answer to the caller may be. On this thread, as the routes do that are
  /// inline: by the primary key.
  func readResource(
    _ request: MCPRequest, _ parameters: Parameters, _ root: borrowing JSONElement, _ era: Era
  ) throws(RPCFault) -> OwnAnswer {
    guard parameters.uri > 0, let text = root.value(at: parameters.uri).string else {
      throw .parameters("params.uri must be the URI of a resource.")
    }
    guard let uri = ResourceURI(text), let shown = ResourceList.find(uri, request.snapshot) else {
      throw MCPServer.noResource(text, era)
    }
    guard ResourceList.may(request.caller, shown) else { return refuse(request, scope: shown.scope, era) }
    var page = settings.resourcePage
    // Smaller pages, until one fits.
    for _ in 0..<MCPServer.maxTries {
      let json: [UInt8]
      do throws(Problem) {
        json = try read(uri, shown, page: page, request.exchange.started)
      } catch {
        throw MCPServer.fault(error, text, era)
      }
      write(json, of: text, era, request.thread)
      let size = request.thread.out.count
      if size <= request.caller.answerLimit {
        RPCAnswer.send(request.thread.out, request.exchange)
        return .told(shown.labels)
      }
      guard uri.id == nil, page > 1 else { break }
      page = max(1, min(page / 2, page * request.caller.answerLimit / size))
    }
    throw MCPServer.fault(
      Problem(
        413, "answer.too_large",
        "One record alone makes the answer longer than the \(request.caller.answerLimit) characters that it may have. "
          + "Read it by a tool, naming the fields that are needed."), text, era)
  }

  /// Halving 10,000, the largest page, ends at one.
  private static let maxTries = 15

  private func write(_ json: [UInt8], of uri: String, _ era: Era, _ thread: MCPThread) {
    let out = thread.out
    answers.begin(thread.id, era, to: out)
    out.append("\"contents\":[{\"uri\":")
    out.append(jsonString: uri.utf8.span)
    out.append(",\"mimeType\":\"application/json\",\"text\":")
    out.append(jsonString: json.span)
    out.append("}]")
    if era == .modern { out.append(",\"ttlMs\":0,\"cacheScope\":\"private\"") }
    out.append("}}")
  }

  private static func fault(_ problem: Problem, _ uri: String, _ era: Era) -> RPCFault {
    switch problem.status {
    case 404: noResource(uri, era)
    case ..<500: .parameters(problem.detail, data: ["code": .string(problem.code)])
    default:
      RPCFault(
        -32603, problem.detail, status: problem.status, data: ["code": .string(problem.code)])
    }
  }

  private func read(
    _ uri: ResourceURI, _ shown: ResourceList.Shown, page: Int, _ now: Instant
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
    let (account, began) = (generation.account, Instant.now)
    account.add(1, to: .calls)
    defer {
      let spent = UInt64(max(0, Instant.now - began))
      account.add(spent, to: .inlineTime)
      account.add(spent, to: .storeTime)
    }
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
    query["limit"] = .integer(Int64(page))
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

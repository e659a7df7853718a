import Application
import Domain
import Kernel

// Keys: a key's text stands in the answer that issues it, once, and nowhere else.

extension AdminApplication {
  private static let longestLifetime = 100 * 365 * 86_400
  private static let longestGrace = 31 * 86_400

  func issueKey(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    var members = try Members(
      request.body, known: ["principal", "name", "scopes", "limit", "answer_limit", "expires_in_s"])
    let principal = members.text("principal", max: KeyTable.maxPrincipalBytes, required: true)
    let name = members.text("name", max: 200)
    let scopes = members.texts("scopes", count: 1...64, max: Scope.maxLength)
    let lifetime = members.whole("expires_in_s", in: 1...AdminApplication.longestLifetime)
    let answerLimit = members.whole("answer_limit", in: KeyRecord.answerLimits)
    var limit: RateLimitRecord?
    members.object("limit", known: ["requests", "per_s"]) { limitMembers in
      let requests = limitMembers.whole("requests", in: GCRA.requestsAllowed, required: true)
      let seconds = limitMembers.whole("per_s", in: 1...31 * 86_400, required: true)
      if let requests, let seconds { limit = RateLimitRecord(requests: requests, periodSeconds: seconds) }
    }
    try members.check()
    try refuseEscalation(request.caller, to: scopes)
    let issued = try ports.keys.issue(
      Keys.Issue(
        principal: principal ?? "", name: name ?? "", scopes: scopes, limit: limit,
        answerLimit: answerLimit, lifetime: lifetime.map { .seconds($0) }))
    return shown(issued.key, issued.record)
  }

  func listKeys(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    let limit = try pageLimit(request)
    var cursor: KeyCursor?
    if let after = request.query["after"] {
      cursor = KeyCursor(after)
      if cursor == nil {
        throw Problem(
          400, "request.query_parameter_invalid", "'after' is the member 'next' of a page of keys.")
      }
    }
    let records = try ports.keys.page(after: cursor, limit: limit)
    let next = records.count == limit ? records.last.map { KeyCursor($0).text } : nil
    return AdminAnswer(
      ["items": .array(records.map(\.json)), "next": next.map(JSONValue.string) ?? .null] as JSONValue)
  }

  func revokeKey(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    try refuseBody(request)
    let record = try ports.keys.revoke(request.parameter("id"))
    var answer = AdminAnswer(record.json)
    answer.details = ["principal": .string(record.principal)]
    return answer
  }

  func rotateKey(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    var members = try Members(request.body, optional: true, known: ["grace_s"])
    let grace = members.whole("grace_s", in: 0...AdminApplication.longestGrace) ?? 0
    try members.check()
    let id = request.parameter("id")
    // The successor's text is in the answer: whoever reads it holds the scopes of the key.
    try refuseEscalation(request.caller, to: try ports.keys.find(id).scopes)
    let rotated = try ports.keys.rotate(id, grace: .seconds(grace))
    var answer = shown(rotated.key, rotated.record, beside: ["replaces": rotated.old.json])
    answer.target = id
    answer.details["successor"] = .string(rotated.record.id)
    answer.undo = { [keys = ports.keys, log = ports.log] in
      do throws(Problem) {
        try keys.undo(rotated)
        return "The new key was revoked, and the old one ends when it would have without it"
      } catch {
        log.log(
          .critical, "admin", "an unaudited rotation could not be taken back: \(error.detail)",
          ["key": .string(id), "successor": .string(rotated.record.id)])
        return "A key was rotated, nobody has seen its successor, and that could not be taken back"
      }
    }
    return answer
  }

  /// What nobody holds, nobody gives: each scope has to be covered by one of the caller's.
  private func refuseEscalation(_ caller: AdminRequest.Caller, to scopes: [String]) throws(Problem) {
    for scope in scopes where !Scope.isValidGrant(scope) {
      throw Problem(
        422, "scope.invalid",
        "'\(scope)' is no scope: one to four parts of a-z, 0-9, _, . and -, joined by colons; it may end in :*."
      )
    }
    let missing = scopes.filter { wanted in !caller.scopes.contains { Scope.grants($0, wanted) } }
    if !missing.isEmpty {
      throw Problem(
        403, "access.scope_escalation",
        "A key cannot give what it does not hold: \(missing.joined(separator: ", ")).",
        members: ["scopes": .array(missing.map(JSONValue.string))])
    }
  }

  private func shown(
    _ key: IssuedKey, _ record: KeyRecord, beside more: [String: JSONValue] = [:]
  ) -> AdminAnswer {
    var document = record.json.object ?? [:]
    document.merge(more) { first, _ in first }
    document["key"] = .string(key.text)
    var answer = AdminAnswer(.object(document), status: 201)
    answer.target = record.id
    answer.details = [
      "principal": .string(record.principal), "scopes": .array(record.scopes.map(JSONValue.string)),
    ]
    // A key that the trail does not know must not open anything.
    answer.undo = { [keys = ports.keys, log = ports.log] in
      do throws(Problem) {
        _ = try keys.revoke(record.id)
        return "The new key was revoked"
      } catch {
        log.log(
          .critical, "admin", "an unaudited key could not be revoked: \(error.detail)",
          ["key": .string(record.id)])
        return "A key was made that nobody has seen, and could not be revoked"
      }
    }
    return answer
  }
}

extension KeyRecord {
  /// What a list shows: never the digest.
  var json: JSONValue {
    [
      "id": .string(id), "principal": .string(principal), "name": .string(name),
      "scopes": .array(scopes.map(JSONValue.string)),
      "limit": limit.map {
        ["requests": .integer(Int64($0.requests)), "per_s": .integer(Int64($0.periodSeconds))]
      } ?? .null,
      "answer_limit": answerLimit.map { .integer(Int64($0)) } ?? .null,
      "created": .string(created.text), "expires": expires.map { .string($0.text) } ?? .null,
      "revoked": revoked.map { .string($0.text) } ?? .null,
      "last_used": lastUsed.map { .string($0.text) } ?? .null,
      "state": revoked != nil ? "revoked" : (expires.map { $0 <= .now } ?? false) ? "expired" : "active",
    ]
  }
}

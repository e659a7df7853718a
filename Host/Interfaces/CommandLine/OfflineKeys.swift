import Application
import Domain
import Kernel

/// Keys by the thousand, straight into the store of a home folder.
enum OfflineKeys {
  /// One transaction takes so many.
  static let batch = 10_000
  static let maxCount = 100_000_000

  static func issue(_ invocation: Invocation) throws {
    let services = invocation.services
    guard let home = invocation.value("--home").map(services.files.absolute) else {
      throw invocation.usage("--offline needs --home DIR")
    }
    let count = try invocation.whole("--count", in: 1...maxCount) ?? 1
    guard count == 1 || invocation.has("--output") else {
      throw invocation.usage("more than one key needs --output FILE")
    }
    let template = try template(invocation)
    let store = try services.openKeys(home)
    let output = try invocation.value("--output").map { try services.files.create($0, mode: 0o600) }
    var last = ""
    var done = 0
    while done < count {
      let keys = (0..<min(batch, count - done)).map { _ in
        KeyText.issue(random: randomBytes(KeyText.randomBytes))
      }
      let records = keys.map { key in
        key.record(
          digest: services.digests.sha256(key.text.utf8.span), principal: template.principal,
          name: template.name,
          scopes: template.scopes, limit: template.limit, created: template.created, expires: template.expires
        )
      }
      try store.insert(records)
      if let output { try write(keys, records, to: output, store) }
      last = keys.last?.text ?? ""
      done += keys.count
    }
    try output?.close()
    if invocation.wantsJSON {
      var document: [String: JSONValue] = ["count": .integer(Int64(count))]
      if let path = invocation.value("--output") {
        document["output"] = .string(path)
      } else {
        document["key"] = .string(last)
      }
      return invocation.show(.object(document)) { _ in "" }
    }
    if output == nil { invocation.print(last) }
    invocation.note("\(count) key(s) for \(template.principal) in \(home)")
  }

  /// Keys whose texts cannot be written down are ended: nobody could use them, and nobody should.
  private static func write(
    _ keys: [IssuedKey], _ records: [KeyRecord], to output: any OutputFile, _ store: any KeyStore
  ) throws {
    var lines: [UInt8] = []
    lines.reserveCapacity(keys.count * (KeyText.length + 1))
    for key in keys {
      lines += key.text.utf8
      lines.append(UInt8(ascii: "\n"))
    }
    do throws(FileFailure) { try output.write(lines) } catch {
      try store.update(
        records.map { record in
          var record = record
          record.revoked = .now
          return record
        })
      throw error
    }
  }

  /// What all the keys have in common; checked as the host checks it.
  private static func template(_ invocation: Invocation) throws -> KeyRecord {
    let principal = invocation.value("--principal") ?? ""
    guard (1...KeyTable.maxPrincipalBytes).contains(principal.utf8.count),
      principal.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
    else {
      throw invocation.wrong(
        "--principal", "1 to \(KeyTable.maxPrincipalBytes) bytes without control characters", principal)
    }
    let scopes = invocation.values("--scope")
    for scope in scopes where !Scope.isValidGrant(scope) {
      throw invocation.wrong("--scope", "a scope like accounts:read, accounts:* or *", scope)
    }
    guard scopes.count <= 64 else { throw invocation.usage("a key holds at most 64 scopes") }
    let limit = try KeyCommands.limit(invocation)
    if let limit { _ = try GCRA(RateLimit(requests: limit.requests, per: .seconds(limit.seconds))) }
    let now = Timestamp.now
    return KeyRecord(
      id: "", digest: [], principal: principal, name: invocation.value("--name") ?? "", scopes: scopes,
      limit: limit.map { RateLimitRecord(requests: $0.requests, periodSeconds: $0.seconds) },
      answerLimit: try invocation.whole("--answer-limit", in: KeyRecord.answerLimits), created: now,
      expires: try invocation.duration("--expires-in").map { now + .seconds($0) })
  }
}

/// One endpoint: where it is, what it takes, and what answers it. Made by ``GET(_:_:_:)`` and the other methods.
public struct Route: Sendable {
  typealias Immediate = @Sendable (Request) throws -> Response
  typealias Deferred = @Sendable (Request) async throws -> Response
  typealias Streaming = @Sendable (Request) async throws -> EventStream

  enum Handler: Sendable {
    case immediate(Immediate)
    case deferred(Deferred)
    case streaming(Streaming)
  }

  let method: String
  let path: String
  let summary: String
  let handler: Handler
  private(set) var members: [JSON.Member] = []
  private(set) var parameters: [JSON.Member] = []
  private(set) var operation: String
  private(set) var isInline: Bool

  init(_ method: String, _ path: String, _ summary: String, _ handler: Handler, _ status: Int? = nil) {
    self.method = method
    self.path = path
    self.summary = summary
    self.handler = handler
    operation = Route.slug(summary)
    // An asynchronous handler only starts a task: it never blocks the thread that calls it.
    isInline = if case .immediate = handler { false } else { true }
    if streams { members.append(JSON.Member("stream", true)) }
    if let status { members.append(JSON.Member("status", .integer(Int64(status)))) }
  }

  /// Whether it answers with events.
  var streams: Bool { if case .streaming = handler { true } else { false } }

  /// Names of the path's parameters, in order.
  var parameterNames: [String] {
    path.split(separator: "/").filter { $0.hasPrefix("{") && $0.hasSuffix("}") }
      .map { String($0.dropFirst().dropLast()) }
  }

  /// `Get one account` → `get_one_account`.
  private static func slug(_ text: String) -> String {
    var slug = ""
    for character in text.lowercased().unicodeScalars {
      let isPlain = ("a"..."z").contains(character) || ("0"..."9").contains(character)
      if isPlain {
        slug.unicodeScalars.append(character)
      } else if !slug.isEmpty, slug.last != "_" {
        slug.append("_")
      }
    }
    while slug.last == "_" { slug.removeLast() }
    return String(slug.prefix(64))
  }
}

// MARK: - Options

extension Route {
  /// Runs the handler on the event thread, which must not block: no writes to records, no waiting. Saves a hand-over to
  /// a worker thread. Asynchronous handlers are inline anyway.
  public func inline() -> Route { changed { $0.isInline = true } }

  /// The name of the operation in documents, logs and audit: `[a-z][a-z0-9_]{0,63}`, unique in the automation. Default:
  /// the summary, in that spelling. Name it where the summary may change but agents must not notice.
  public func operation(_ name: String) -> Route { changed { $0.operation = name } }

  /// What the caller's key must hold. Default: `<id>:read` for GET, `<id>:write` otherwise.
  public func scope(_ scope: String) -> Route { setting("scope", .string(scope)) }

  /// Needs no key.
  public func `public`() -> Route { setting("public", true) }

  /// Overrides the caller's own limit on this route.
  public func limit(_ requests: Int, perSeconds seconds: Int) -> Route {
    setting("limit", ["requests": .integer(Int64(requests)), "per_s": .integer(Int64(seconds))])
  }

  /// The host answers 504 after this.
  public func deadline(_ time: Duration) -> Route {
    let (seconds, attoseconds) = time.components
    return setting("deadline_ms", .integer(seconds * 1000 + attoseconds / 1_000_000_000_000_000))
  }

  /// A call takes effect only when it is made again with the token that the first one was answered: for what cannot be
  /// undone.
  public func confirmed() -> Route { setting("confirm", true) }

  /// The handler may be run for what it would answer, its writes to records undone. Only for a handler whose records are
  /// all that it changes: what it sends or writes elsewhere stays done, unless it asks ``Request/isDryRun``. Not of a
  /// route that answers with an ``EventStream``: the host refuses its manifest.
  public func dryRun() -> Route { setting("dry_run", true) }

  /// What the route does with an Idempotency-Key. Default: ``Idempotency/optional``, on GET ``Idempotency/none``.
  public func idempotency(_ rule: Idempotency) -> Route { setting("idempotency", .string(rule.rawValue)) }

  public func maxBodyBytes(_ bytes: Int) -> Route { setting("max_body_bytes", .integer(Int64(bytes))) }

  /// What the summary has no room for: when to use the route, what it changes, what to do after.
  public func described(_ text: String) -> Route { setting("description", .string(text)) }

  /// The name that people see. Default: the summary.
  public func titled(_ title: String) -> Route { setting("title", .string(title)) }

  /// What a caller may expect without trying. Default: what the method promises (RFC 9110, section 9.2); a DELETE is
  /// destructive, and so is what is ``confirmed()``, unless it is read-only.
  public func hints(
    readOnly: Bool? = nil, destructive: Bool? = nil, idempotent: Bool? = nil, openWorld: Bool? = nil
  ) -> Route {
    let all = [
      ("read_only", readOnly), ("destructive", destructive), ("idempotent", idempotent),
      ("open_world", openWorld),
    ]
    return setting(
      "hints", .object(all.compactMap { name, flag in flag.map { JSON.Member(name, .bool($0)) } }))
  }

  /// A problem that the handler answers with, beside the host's own. May be said again for another.
  public func fails(_ status: Int, _ code: String, _ description: String = "") -> Route {
    var error: JSON = ["status": .integer(Int64(status)), "code": .string(code)]
    if !description.isEmpty { error = error.with("description", .string(description)) }
    let known = members.first { $0.name == "errors" }?.value.array ?? []
    // Two options may follow from the same problem.
    if known.contains(where: { $0["status"] == error["status"] && $0["code"] == error["code"] }) {
      return self
    }
    return setting("errors", .array(known + [error]))
  }

  /// The route goes: callers are told with every answer.
  public func deprecated(_ deprecation: Deprecation) -> Route { setting("deprecated", deprecation.json) }

  /// JSON Schema of an object with the path parameters. Default: each is a text of 1 to 200 characters, described by
  /// ``parameter(_:_:example:)``.
  public func path(_ schema: JSON) -> Route { setting("path_parameters", schema) }

  /// What a path parameter names, and how one looks, for people and models. `id` is the id of a record unless told
  /// otherwise.
  public func parameter(_ name: String, _ description: String, example: String) -> Route {
    changed { $0.parameters.append(.init(name, Route.text(description, example))) }
  }

  private static func text(_ description: String, _ example: String) -> JSON {
    [
      "type": "string", "minLength": 1, "maxLength": 200, "description": .string(description),
      "examples": [.string(example)],
    ]
  }

  /// What is known of a path parameter.
  fileprivate func parameter(_ name: String) -> JSON {
    if let known = parameters.last(where: { $0.name == name }) { return known.value }
    guard name == "id" else { return ["type": "string", "minLength": 1, "maxLength": 200] }
    return Route.text("The id of the record, as answers say it", "019ab2c4-7d10-7e3a-9c55-2f8e6b1d4a70")
  }

  /// JSON Schema of an object with the query parameters.
  public func query(_ schema: JSON) -> Route { setting("query", schema) }

  /// JSON Schema of the body.
  public func body(_ schema: JSON) -> Route { setting("body", schema) }

  /// JSON Schema of the body of a success. The host withholds an answer that is not so, and says 500.
  public func response(_ schema: JSON) -> Route { setting("response", schema) }

  /// The status of every success, 200 to 299, for documents. Default: what the handler's type says (``Answer/status``).
  public func status(_ status: Int) -> Route { setting("status", .integer(Int64(status))) }

  private func setting(_ name: String, _ value: JSON) -> Route {
    changed { route in
      route.members.removeAll { $0.name == name }
      route.members.append(JSON.Member(name, value))
    }
  }

  private func changed(_ change: (inout Route) -> Void) -> Route {
    var copy = self
    change(&copy)
    return copy
  }
}

/// What a route does with an Idempotency-Key.
public enum Idempotency: String, Sendable {
  /// None is looked at: the handler keeps repeated calls apart by itself.
  case none
  /// A call that names one takes effect once, however often it is sent; one without is as any other.
  case optional
  /// A call without one is refused.
  case required
}

// MARK: - Options that follow from a record

extension Route {
  /// Answers with one record.
  public func reads<Entity: Record>(_ entity: Entity.Type) -> Route {
    response(entity.recordSchema).failsWithoutRecord()
  }

  /// Takes the query parameters of the record's ``Record/listing`` and answers with a page.
  public func lists<Entity: Record>(_ entity: Entity.Type) -> Route { lists(entity, entity.listing) }

  public func lists<Entity: Record>(_ entity: Entity.Type, _ listing: Listing) -> Route {
    query(listing.schema).response(entity.pageSchema)
      .fails(400, "records.invalid_cursor", "`after` is no cursor of this list.")
  }

  /// Takes a draft and answers with the record.
  public func creates<Entity: Record>(_ entity: Entity.Type) -> Route {
    body(entity.draftSchema).response(entity.recordSchema).failsOnConflict(entity)
  }

  /// Takes a merge patch and answers with the record.
  public func changes<Entity: Record>(_ entity: Entity.Type) -> Route {
    body(entity.changesSchema).response(entity.recordSchema).failsWithoutRecord().failsOnConflict(entity)
      .failsOnVersion()
  }

  /// Deletes one record, and answers with nothing.
  public func deletes<Entity: Record>(_ entity: Entity.Type) -> Route {
    failsWithoutRecord().failsOnVersion()
  }

  // What the host's records answer, which a handler passes on.

  private func failsWithoutRecord() -> Route {
    fails(404, "records.not_found", "There is no record with this id.")
  }

  private func failsOnConflict<Entity: Record>(_ entity: Entity.Type) -> Route {
    let names = entity.fields.filter(\.isUnique).map(\.name)
    let checked = fails(
      422, "records.invalid", "The record is not as declared; `errors` lists where and why.")
    if names.isEmpty { return checked }
    return checked.fails(
      409, "records.conflict", "Another record has this \(names.joined(separator: " or ")); `field` names it."
    )
  }

  private func failsOnVersion() -> Route {
    fails(
      412, "records.precondition_failed",
      "The record is at another version than `If-Match` says: read it again, and repeat the change.")
  }
}

// MARK: - Manifest

extension Route {
  var manifest: JSON {
    var all: [JSON.Member] = [
      .init("method", .string(method)), .init("path", .string(path)),
      .init("operation", .string(operation)), .init("summary", .string(summary)),
      .init("execution", isInline ? "inline" : "blocking"),
    ]
    let names = parameterNames
    if !names.isEmpty, !members.contains(where: { $0.name == "path_parameters" }) {
      all.append(
        .init(
          "path_parameters",
          .objectSchema(.object(names.map { .init($0, parameter($0)) }), required: names)))
    }
    return .object(all + members)
  }
}

package import Application
import Domain
package import Kernel

/// `/openapi.json`, and the page for people, `/docs`: from the routes of the snapshot that a request sees, as far as its
/// caller may call them.
package final class OpenAPIPath: OwnPath {
  package struct Facts: Sendable {
    /// Of the host.
    package var release: String
    /// What callers without a key see.
    package var anonymous: AnonymousView
    /// Where agents reach this listener; empty: documents say `/`.
    package var serverURL: String
    /// A longer document is refused with 422.
    package var maxBytes: Int
    /// How long a request waits for its document.
    package var patience: Duration
    /// A call that lasts longer becomes a job.
    package var jobAfter: Duration

    package init(
      release: String = "", anonymous: AnonymousView = .all, serverURL: String = "", maxBytes: Int = 64 << 20,
      patience: Duration = .seconds(30),
      jobAfter: Duration = .milliseconds(HostConfiguration.defaults.jobAfterMilliseconds)
    ) {
      self.release = release
      self.anonymous = anonymous
      self.serverURL = serverURL
      self.maxBytes = maxBytes
      self.patience = patience
      self.jobAfter = jobAfter
    }
  }

  package let routes: [OwnRoute]
  private let facts: Facts
  private let documents: Documents
  private let digests: any Digests
  private let assets: PageAssets?
  /// Paths of the host's own, as far as documents tell of them.
  private let own: [OwnRoute]

  package init(
    _ facts: Facts, own: [OwnRoute] = [], documents: Documents, digests: any Digests,
    assets: PageAssets? = nil
  ) {
    self.own = own.filter { $0.manual != nil }
    self.facts = facts
    self.documents = documents
    self.digests = digests
    self.assets = assets
    routes = [
      OwnRoute(.get, "/openapi.json", patience: facts.patience),
      OwnRoute(.get, "/docs", patience: facts.patience), OwnRoute(.get, "/docs/assets/{file}", key: .none),
    ]
  }

  package func answer(
    _ exchange: Exchange, _ number: Int, _ caller: Caller, _ snapshot: Snapshot
  ) throws(Problem) -> OwnAnswer {
    let request: DocumentRequest
    switch number {
    case 0: request = try DocumentRequest(exchange)
    case 1: request = DocumentRequest()
    default:
      let head = exchange.head
      let name = String(head.span(exchange.parameters[0].value))
      guard let file = assets?.file(name) else {
        throw Problem(404, "docs.no_such_file", "This page has no such file.")
      }
      file.answer(exchange)
      return .answered
    }
    let view = DocumentView(caller, facts.anonymous)
    let isPage = number == 1
    // A page is for people, who have no key in their browser: it tells them nothing, and stays.
    if !isPage { try view.refuseStrangers() }
    let name = Documents.Name(
      isPage ? "docs" : request.name, view.audience, version: snapshot.version)
    let isLater = try documents.answer(exchange, name) { [self] () throws(Problem) in
      isPage ? try page(snapshot, view) : try document(request, snapshot, view)
    }
    return isLater ? .pending : .answered
  }

  // MARK: Building [documents]

  /// Answers differ by key, and a browser shows nothing of them as a page.
  private static let headers: [(name: StaticString, value: String)] = [
    ("Vary", "Authorization, X-API-Key"), ("X-Content-Type-Options", "nosniff"),
  ]

  func document(
    _ request: DocumentRequest, _ snapshot: Snapshot, _ view: DocumentView
  ) throws(Problem) -> Document {
    var operations = try view.routes(snapshot, of: request.automation).map {
      Described($0, jobAfter: facts.jobAfter)
    }
    let own = own.filter(view.shows).compactMap { [operations] in Described($0, besides: operations) }
    if request.automation == nil, !request.isGPT { operations += own }
    var writing = DocumentWriter.Facts()
    writing.version = request.version
    writing.release = facts.release
    writing.server = facts.serverURL.isEmpty ? "/" : facts.serverURL
    writing.maxBytes = facts.maxBytes
    let manifest = request.automation.flatMap { snapshot.automation(named: $0)?.generation.manifest }
    writing.title = manifest?.title ?? "Council"
    writing.description = manifest?.summary ?? OpenAPIPath.summary
    if let version = manifest?.version { writing.release = version }
    if request.isGPT {
      try GPTProfile.check(server: facts.serverURL)
      writing.profile = .gpt
      // Of the host's own paths a GPT, which has 30 operations to spend, needs the one that fetches the answers of its calls.
      let (part, parts) = try GPTProfile.part(
        request.part, of: operations, job: own.first { $0.name == "council_get_job" })
      operations = part
      writing.more = [("x-part", .integer(Int64(request.part))), ("x-parts", .integer(Int64(parts)))]
      if parts > 1 { writing.description += "\n\nPart \(request.part) of \(parts)." }
    }
    var writer = DocumentWriter(writing)
    try writer.add(operations)
    let tags = request.isGPT ? [] : OpenAPIPath.tags(operations, snapshot)
    return Document(
      writer.finish(tags: tags), "application/json", headers: OpenAPIPath.headers, digests: digests)
  }

  private static let summary =
    "What the automations of this host can do. Every answer has `X-Request-Id`; every error is a problem (RFC 9457) with "
    + "a stable `code`."

  private static func tags(_ operations: [Described], _ snapshot: Snapshot) -> [JSONValue] {
    var seen: Set<String> = []
    return operations.filter { seen.insert($0.tag).inserted }.map { operation in
      let manifest = snapshot.automation(named: operation.tag)?.generation.manifest
      var tag: [String: JSONValue] = ["name": .string(operation.tag)]
      if operation.tag == Described.ownTag {
        tag["description"] = "The host itself: calls by name, and what outlasts a request."
      }
      if let manifest {
        tag["x-displayName"] = .string(manifest.title)
        tag["x-version"] = .string(manifest.version)
        if !manifest.summary.isEmpty { tag["description"] = .string(manifest.summary) }
      }
      return .object(tag)
    }
  }

  func page(_ snapshot: Snapshot, _ view: DocumentView) throws(Problem) -> Document {
    let operations = try view.routes(snapshot, of: nil).map { Described($0, jobAfter: facts.jobAfter) }
    let note = operations.isEmpty ? "Nothing is listed for a caller without a key." : ""
    let page = HumanPage.Facts(
      title: "Council", document: "/openapi.json", assets: assets == nil ? nil : "/docs/assets", note: note)
    return Document(
      HumanPage.bytes(page, operations + own.filter(view.shows).compactMap { Described($0) }),
      "text/html; charset=utf-8",
      headers: OpenAPIPath.headers + [("Content-Security-Policy", HumanPage.policy)], digests: digests)
  }
}

package import Application
import Domain
package import Kernel

/// What a stranger reads first: `/llms.txt` for models, and `/.well-known/api-catalog` (RFC 9727) for machines. Both lead
/// to the documents that say more.
package final class DiscoveryPath: OwnPath {
  package struct Facts: Sendable {
    /// What callers without a key see.
    package var anonymous: AnonymousView
    /// Where agents reach this listener, without a slash at the end; empty: links are relative.
    package var serverURL: String
    /// How long a request waits for its document.
    package var patience: Duration

    package init(anonymous: AnonymousView = .all, serverURL: String = "", patience: Duration = .seconds(30)) {
      self.anonymous = anonymous
      self.serverURL = serverURL.hasSuffix("/") ? String(serverURL.dropLast()) : serverURL
      self.patience = patience
    }
  }

  package let routes: [OwnRoute]
  private let facts: Facts
  private let documents: Documents
  private let digests: any Digests

  package init(_ facts: Facts, documents: Documents, digests: any Digests) {
    self.facts = facts
    self.documents = documents
    self.digests = digests
    routes = [
      OwnRoute(.get, "/llms.txt", patience: facts.patience),
      OwnRoute(.get, "/.well-known/api-catalog", patience: facts.patience),
    ]
  }

  package func answer(
    _ exchange: Exchange, _ number: Int, _ caller: Caller, _ snapshot: Snapshot
  ) throws(Problem) -> OwnAnswer {
    let view = DocumentView(caller, facts.anonymous)
    try view.refuseStrangers()
    let name = Documents.Name(routes[number].path, view.audience, version: snapshot.version)
    let server = facts.serverURL
    let isLater = try documents.answer(exchange, name) { [digests] () throws(Problem) in
      let (text, type) =
        number == 0
        ? (LLMSText.of(snapshot, view, server: server), "text/markdown; charset=utf-8")
        : (
          APICatalog.of(snapshot, view, server: server),
          "application/linkset+json; profile=\"https://www.rfc-editor.org/info/rfc9727\""
        )
      return Document(
        Array(text.utf8), type, headers: [("Vary", "Authorization, X-API-Key")], digests: digests)
    }
    return isLater ? .pending : .answered
  }
}

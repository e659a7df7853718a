import Application
import Domain
import Kernel

/// `/functions.json`: `tools` goes into a request to a model as it is.
struct FunctionList {
  /// What a request asks for: `?api=responses&automation=accounts`.
  struct Wish: Sendable, Equatable {
    var api = FunctionTool.API.chat
    var automation: String?

    init() {}

    /// Throws 400 `request.query_parameter_unknown` or `request.query_parameter_invalid`.
    init(_ exchange: Exchange) throws(Problem) {
      let query = try DocumentQuery(exchange, known: ["api", "automation"])
      automation = try query.automation()
      guard let text = query["api"] else { return }
      guard let api = FunctionTool.API(rawValue: text) else {
        throw DocumentQuery.invalid(
          "'api' is \(FunctionTool.API.allCases.map(\.rawValue).joined(separator: " or ")).")
      }
      self.api = api
    }

    /// Tells one document from another.
    var name: String { "functions \(api.rawValue) \(automation ?? "")" }
  }

  private let wish: Wish
  private let maxBytes: Int
  private let jobAfter: Duration?

  /// `jobAfter`: after what time a call becomes a job; nil: none does.
  init(_ wish: Wish, maxBytes: Int, jobAfter: Duration?) {
    self.wish = wish
    self.maxBytes = maxBytes
    self.jobAfter = jobAfter
  }

  /// [documents]
  func document(_ snapshot: Snapshot, _ view: DocumentView, digests: any Digests) throws(Problem) -> Document
  {
    Document(
      try bytes(try view.routes(snapshot, of: wish.automation)), "application/json",
      headers: [("Vary", "Authorization, X-API-Key"), ("X-Content-Type-Options", "nosniff")],
      digests: digests)
  }

  private func bytes(_ routes: [LiveRoute]) throws(Problem) -> [UInt8] {
    var bytes = Array(#"{"call":{"method":"POST","path":"/functions/call"},"tools":["#.utf8)
    let start = bytes.count
    var loose: [JSONValue] = []
    var tools = routes.map { FunctionTool($0) }
    if routes.contains(where: { $0.outlasts(jobAfter) }) {
      tools += JobOperation.allCases.map { FunctionTool($0) }
    }
    for (index, tool) in tools.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      // Sorted, as `StrictSchema` takes it that properties are written.
      bytes += JSON.encode(tool.json(wish.api))
      if !tool.isStrict {
        loose.append(["name": .string(tool.name), "obstacles": .array(tool.obstacles.map(\.json))])
      }
      guard bytes.count <= maxBytes else {
        throw Problem(
          422, "documents.too_large",
          "The list of functions is longer than \(maxBytes) bytes. Ask for one automation with ?automation=ID."
        )
      }
    }
    let tokens = FunctionTool.tokens(bytes.count - start)
    bytes.append(UInt8(ascii: "]"))
    bytes += ",\"not_strict\":".utf8
    bytes += JSON.encode(.array(loose))
    bytes += ",\"tokens\":{\"estimate\":\"bytes / 4\",\"total\":\(tokens)}}".utf8
    return bytes
  }
}

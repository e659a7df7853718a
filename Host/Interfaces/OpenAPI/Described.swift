import Application
import Domain
import Kernel

/// One method of one path, as a document tells of it: a route of a plugin, or an endpoint of the admin listener.
struct Described {
  struct Fault {
    var status: Int
    var code: String
    var description: String
  }

  struct Success {
    /// nil: any 2xx.
    var status: Int?
    var schema: JSONValue?
  }

  /// What makes a write safe: a header, or a query parameter of another name for those who send no headers of their own.
  struct Word {
    var header: String
    /// nil where the route has a parameter of that name itself.
    var parameter: String?
    var description: String
    var isRequired = false
    var schema: JSONValue
  }

  /// By what they make of an answer.
  struct Preferences: OptionSet {
    let rawValue: Int
    /// Shorter.
    static let limits = Preferences(rawValue: 1)
    static let dryRun = Preferences(rawValue: 2)
    /// A job.
    static let async = Preferences(rawValue: 4)
  }

  struct Deprecation {
    var since: String?
    var sunset: String?
    var link: String?

    /// In one sentence.
    var text: String {
      "Deprecated" + (since.map { " since \($0)" } ?? "") + (sunset.map { "; answers until \($0)" } ?? "")
        + "."
    }
  }

  /// The operationId: unique in the document.
  var name: String
  var tag: String
  var method: HTTPMethod
  var pattern: RoutePattern
  /// Before the pattern: `/accounts`.
  var prefix: String
  var title = ""
  var summary = ""
  /// Beyond the summary.
  var description = ""
  var deprecation: Deprecation?
  /// Any one of these lets a key in.
  var scopes: [String] = []
  /// Whether a key is looked at; absent: where there are scopes.
  var key: OwnRoute.Key?
  /// Schemas of objects with the parameters, and of the bodies.
  var path: JSONValue?
  var query: JSONValue?
  var body: JSONValue?
  var isBodyRequired = true
  /// Other media types that the body may have; their schema is any bytes.
  var bodyAlternatives: [String] = []
  var successes = [Success(status: nil, schema: nil)]
  /// Further answers, of the host itself.
  var others: [OwnManual.Answer] = []
  var responseType = "application/json"
  var compiled = RouteSchemas()
  /// What the host may answer instead of a success.
  var refusals: [Int] = []
  /// What the handler may answer beside it.
  var faults: [Fault] = []
  var isConsequential = false
  /// Words of the host that are sent beside the route's own parameters.
  var words: [Word] = []
  /// Query parameters of the host.
  var hostParameters: [HostParameter] = []
  /// What `Prefer` may say; empty: nothing is heeded.
  var preferences: Preferences = []
  /// Answers a list, of which there may be more.
  var isList = false
  /// A success may come as Markdown.
  var hasMarkdown = false
  /// A call with an idempotency key may be answered with what came of an earlier one.
  var mayBeReplayed = false
  /// A success may come in pieces.
  var streams = false
  /// Where the manifest declares it, for who has to change it.
  var place = ""

  /// `/accounts/{id}`; a trailing slash says nothing and is left out.
  var template: String {
    let rest = pattern.segments.map { segment in
      switch segment {
      case .literal(let text): "/" + text
      case .parameter(let name): "/{\(name)}"
      }
    }
    let path = prefix + rest.joined()
    return path.isEmpty ? "/" : path
  }

  /// The same for two paths that differ only in the names of their parameters.
  var shape: String {
    prefix
      + pattern.segments.map { segment in
        if case .literal(let text) = segment { "/" + text } else { "/{}" }
      }.joined()
  }
}

/// What the request path itself may answer, by status. Tests provoke them on running hosts.
enum Refusals {
  /// By the edge, and by the gateway before and around every handler.
  private static let always = [400, 404, 408, 413, 414, 417, 429, 431, 500, 501, 503, 504, 505]

  static func of(_ route: LiveRoute) -> [Int] {
    var all = always
    let declaration = route.declaration
    if declaration.scope != nil { all += [401, 403] }
    // A GET or DELETE has no body that could be wrong.
    if declaration.method != .get, declaration.method != .delete { all.append(415) }
    // Also where there is no body: a dry run that the route does not offer.
    if declaration.bodySchema != nil || declaration.method != .get { all.append(422) }
    if declaration.idempotency != .none { all += [409, 422] }
    if declaration.confirm { all.append(428) }
    if case .process = route.generation.record.isolation { all.append(502) }
    return Set(all).sorted()
  }

  /// A path of the host's own, without what its manual says, as a status or as a range of them; a range of one that passes on
  /// answers says only what they look like.
  static func of(_ route: OwnRoute) -> [Int] {
    let always = route.maxBodyBytes > 0 ? [413, 415, 422] : []
    let said = (route.manual?.answers ?? []).map(\.status)
    let all = [400, 408, 413, 414, 417, 429, 431, 500, 501, 503, 505] + always
    let keyed = route.key == .none ? [] : [401]
    let passesOn = route.manual?.passesOn != nil
    return Set(all + keyed + (route.manual?.refusals ?? [])).sorted().filter { status in
      !said.contains(String(status)) && (passesOn || !said.contains("\(status / 100)XX"))
    }
  }

  /// The admin listener: a Host that is not let in is 421; nothing there has a deadline of its own.
  static func of(_ row: AdminEndpoint.Row) -> [Int] {
    var all = [400, 404, 408, 413, 414, 417, 421, 431, 500, 501, 503, 505]
    if !row.scopes.isEmpty { all += [401, 403, 429] }
    if row.method != .get { all += [415, 422] }
    return all
  }
}

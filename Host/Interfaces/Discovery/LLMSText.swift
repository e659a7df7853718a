import Application
import Domain
import Kernel

/// `/llms.txt` (llmstxt.org): a heading, a quotation, then lists of links, those under "Optional" for who has room.
enum LLMSText {
  static func of(_ snapshot: Snapshot, _ view: DocumentView, server: String) -> String {
    var text = """
      # Council

      > Automations for agents: each is a group of HTTP endpoints, described below. Send a key as `Authorization: Bearer <key>` or `X-API-Key: <key>`.

      Answers are JSON. A list is `{"items": […], "next": cursor or null}`; pass `next` as `after` for the next page. An error is `application/problem+json` with a stable `code`, and a `detail` that says what to do. After 429 or 503 wait as long as `Retry-After` says. Every answer carries `X-Request-Id`.


      """
    text += "## Automations\n\n"
    for automation in snapshot.automations {
      let routes = view.routes(automation)
      if routes.isEmpty { continue }
      let manifest = automation.generation.manifest
      text += "- [\(plain(manifest.title))](\(server)/openapi.json?automation=\(manifest.id)): "
      if !manifest.summary.isEmpty { text += plain(manifest.summary) + " " }
      text += "\(routes.count) operation\(routes.count == 1 ? "" : "s") below `\(manifest.root)`."
      text += deprecations(routes) + "\n"
    }
    text += """

      ## Interfaces

      - [OpenAPI 3.1](\(server)/openapi.json): every operation that the key may call; `?automation=` narrows it
      - [MCP](\(server)/mcp): the operations as tools, for MCP clients
      - [Function tools](\(server)/functions.json): the operations for function calling; run one with `POST /functions/call`
      - [API catalog](\(server)/.well-known/api-catalog): links for machines (RFC 9727)

      ## Optional

      - [Documentation for people](\(server)/docs)
      - [OpenAPI 3.0](\(server)/openapi.json?version=3.0): for clients that do not read 3.1

      """
    // They need the host's address.
    if !server.isEmpty {
      text +=
        "- [GPT Actions](\(server)/openapi.json?profile=gpt): the same within the limits of GPT Actions\n"
    }
    return text
  }

  /// Operations that are named one by one.
  private static let mostNamed = 10

  /// Which operations go, and until when they answer; empty where none does.
  private static func deprecations(_ routes: [LiveRoute]) -> String {
    let going = routes.compactMap { route in route.declaration.deprecation.map { (route, $0.sunset?.text) } }
    guard let (_, sunset) = going.first else { return "" }
    if going.count == routes.count, going.allSatisfy({ $0.1 == sunset }) {
      return " Deprecated" + (sunset.map { "; answers until \($0)" } ?? "") + "."
    }
    let named = going.prefix(mostNamed).map { route, sunset in
      "`\(route.declaration.method.rawValue) \(route.template)`"
        + (sunset.map { " (answers until \($0))" } ?? "")
    }
    let rest = going.count - named.count
    return " Deprecated: " + named.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "") + "."
  }

  /// A text of a manifest on one line, its Markdown taken for what it is.
  static func plain(_ text: String) -> String {
    var plain = ""
    for character in text.unicodeScalars {
      switch character {
      case "\n", "\r", "\t": plain.unicodeScalars.append(" ")
      case "[", "]", "\\", "`", "<", ">", "*", "_", "#":
        plain.unicodeScalars.append("\\")
        plain.unicodeScalars.append(character)
      default: plain.unicodeScalars.append(character)
      }
    }
    return plain
  }
}

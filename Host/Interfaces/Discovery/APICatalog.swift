import Application
import Domain
import Kernel

/// `/.well-known/api-catalog` (RFC 9727): a linkset (RFC 9264) of every automation, with its description for machines
/// (`service-desc`) and for people (`service-doc`). Of one that goes as a whole, `deprecation` and `sunset` say since when
/// and until when, as attributes of the description's link (RFC 9264, section 4.2.4.3); of single operations, it does.
enum APICatalog {
  static func of(_ snapshot: Snapshot, _ view: DocumentView, server: String) -> String {
    let automations = snapshot.automations.filter { !view.routes($0).isEmpty }
    var links: [JSONValue] = [
      [
        "anchor": .string("\(server)/.well-known/api-catalog"),
        "item": .array(automations.map { ["href": .string("\(server)\($0.generation.manifest.root)")] }),
      ]
    ]
    for automation in automations {
      let manifest = automation.generation.manifest
      var description: [String: JSONValue] = [
        "href": .string("\(server)/openapi.json?automation=\(manifest.id)"),
        "type": "application/vnd.oai.openapi+json;version=3.1", "title": .string(manifest.title),
      ]
      let routes = view.routes(automation)
      let going = routes.compactMap(\.declaration.deprecation)
      if going.count == routes.count, let since = going.map(\.since).min() {
        description["deprecation"] = [.string(since.text)]
        let sunsets = going.compactMap(\.sunset)
        if sunsets.count == routes.count, let last = sunsets.max() {
          description["sunset"] = [.string(last.text)]
        }
      }
      links.append([
        "anchor": .string("\(server)\(manifest.root)"),
        "service-desc": [.object(description)],
        "service-doc": [["href": .string("\(server)/docs"), "type": "text/html"]],
        "status": [["href": .string("\(server)/health/ready"), "type": "application/json"]],
      ])
    }
    return JSON.text(["linkset": .array(links)] as JSONValue)
  }
}

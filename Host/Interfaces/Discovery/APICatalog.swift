import Application
import Domain
import Kernel

/// `/.well-known/api-catalog` (RFC 9727): a linkset (RFC 9264) of every automation, with its description for machines
/// (`service-desc`) and for people (`service-doc`).
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
      links.append([
        "anchor": .string("\(server)\(manifest.root)"),
        "service-desc": [
          [
            "href": .string("\(server)/openapi.json?automation=\(manifest.id)"),
            "type": "application/vnd.oai.openapi+json;version=3.1", "title": .string(manifest.title),
          ]
        ],
        "service-doc": [["href": .string("\(server)/docs"), "type": "text/html"]],
        "status": [["href": .string("\(server)/health/ready"), "type": "application/json"]],
      ])
    }
    return JSON.text(["linkset": .array(links)] as JSONValue)
  }
}

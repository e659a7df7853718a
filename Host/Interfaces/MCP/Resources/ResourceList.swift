import Application
import Domain
import Kernel

/// The collections that a caller may read without a route: those whose manifest shows fields, with the scope
/// `<automation>:read`, as its reading routes.
enum ResourceList {
  struct Shown {
    let automation: LiveAutomation
    let collection: CollectionDeclaration

    var uri: String { ResourceURI.collection(automation.generation.manifest.id, collection.name) }
    var scope: String { automation.generation.manifest.readScope }
    /// What audit rows call reading it.
    var labels: RouteLabels {
      let members: JSONValue = [
        "automation": .string(automation.generation.manifest.id),
        "generation": .integer(Int64(automation.generation.record.number)),
        "operation": "resources/read", "route": .string(uri),
      ]
      return RouteLabels(json: Array(JSON.encode(members).dropFirst().dropLast()))
    }
  }

  /// URIs of one form.
  struct Template {
    var uri: String
    var name: String
    var description: String
    var shown: Shown
  }

  static func find(_ uri: ResourceURI, _ snapshot: Snapshot) -> Shown? {
    guard let automation = snapshot.automation(named: uri.automation),
      let collection = automation.generation.manifest.collections.first(where: { $0.name == uri.collection }),
      !collection.resourceFields.isEmpty
    else { return nil }
    return Shown(automation: automation, collection: collection)
  }

  static func may(_ caller: Caller, _ shown: Shown) -> Bool {
    guard let grant = caller.grant, let scope = shown.automation.readScope else { return false }
    return caller.table.allows(grant, scope)
  }

  static func all(_ snapshot: Snapshot) -> [Shown] {
    snapshot.automations.flatMap { automation in
      automation.generation.manifest.collections.filter { !$0.resourceFields.isEmpty }
        .map { Shown(automation: automation, collection: $0) }
    }
  }

  /// A resource of `resources/list`.
  static func json(_ shown: Shown) -> JSONValue {
    [
      "uri": .string(shown.uri), "name": .string(shown.collection.name),
      "title": .string("\(shown.automation.generation.manifest.title): \(shown.collection.name)"),
      "description": .string(
        "Records of '\(shown.collection.name)', a page at a time: {\"items\": […], \"next\": cursor or null}. "
          + "The next page is \(shown.uri)?after=<cursor>."),
      "mimeType": "application/json",
    ]
  }

  /// Of `resources/templates/list`: a page, and one record.
  static func templates(_ shown: Shown) -> [(name: String, item: Template)] {
    [
      ("/{id}", "One record of '\(shown.collection.name)', by its id."),
      ("{?after}", "Records of '\(shown.collection.name)' after the cursor of the page before."),
    ].map { form, text in
      let uri = shown.uri + form
      return (uri, Template(uri: uri, name: shown.collection.name, description: text, shown: shown))
    }
  }

  static func json(_ template: Template) -> JSONValue {
    [
      "uriTemplate": .string(template.uri), "name": .string(template.name),
      "description": .string(template.description), "mimeType": "application/json",
    ]
  }
}

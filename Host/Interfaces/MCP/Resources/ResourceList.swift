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
    var scope: String { "\(automation.generation.manifest.family):read" }
  }

  static func find(_ uri: ResourceURI, _ snapshot: Snapshot) -> Shown? {
    guard let automation = snapshot.automation(named: uri.automation),
      let collection = automation.generation.manifest.collections.first(where: { $0.name == uri.collection }),
      !collection.resourceFields.isEmpty
    else { return nil }
    return Shown(automation: automation, collection: collection)
  }

  static func may(_ caller: Caller, _ shown: Shown) -> Bool {
    // A name that the matrix has no room for is held by nobody.
    guard let grant = caller.grant, let scope = try? caller.table.scopes.require(shown.scope) else {
      return false
    }
    return caller.table.allows(grant, scope)
  }

  /// The members of one page of `resources/list`, without braces.
  static func page(
    _ snapshot: Snapshot, _ caller: Caller, after name: String?, limit: Int, age: Int?
  ) -> [UInt8] {
    ListPage.write(
      "resources", visible(snapshot, caller).map { ($0.uri, $0) }, after: name, limit: limit, age: age
    ) { shown in
      [
        "uri": .string(shown.uri), "name": .string(shown.collection.name),
        "title": .string("\(shown.automation.generation.manifest.title): \(shown.collection.name)"),
        "description": .string(
          "Records of '\(shown.collection.name)', a page at a time: {\"items\": […], \"next\": cursor or null}. "
            + "The next page is \(shown.uri)?after=<cursor>."),
        "mimeType": "application/json",
      ]
    }
  }

  /// Those of `resources/templates/list`: a page, and one record.
  static func templates(
    _ snapshot: Snapshot, _ caller: Caller, after name: String?, limit: Int, age: Int?
  ) -> [UInt8] {
    let all = visible(snapshot, caller).flatMap { shown in
      [
        (name: shown.uri + "/{id}", item: (shown, "One record of '\(shown.collection.name)', by its id.")),
        (
          name: shown.uri + "{?after}",
          item: (shown, "Records of '\(shown.collection.name)' after the cursor of the page before.")
        ),
      ]
    }
    return ListPage.write("resourceTemplates", all.map { ($0.name, $0) }, after: name, limit: limit, age: age)
    {
      [
        "uriTemplate": .string($0.name), "name": .string($0.item.0.collection.name),
        "description": .string($0.item.1), "mimeType": "application/json",
      ]
    }
  }

  private static func visible(_ snapshot: Snapshot, _ caller: Caller) -> [Shown] {
    snapshot.automations.flatMap { automation in
      automation.generation.manifest.collections.filter { !$0.resourceFields.isEmpty }
        .map { Shown(automation: automation, collection: $0) }
    }.filter { may(caller, $0) }
  }
}

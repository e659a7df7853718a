import Application
import Domain

/// What a model should know before it picks a tool. Clients may show the first 512 characters only.
enum Instructions {
  static let opening = 512

  static func text(_ snapshot: Snapshot, _ caller: Caller) -> String {
    let names = snapshot.automations.filter { $0.routes.contains { caller.may($0) } }.map { automation in
      let manifest = automation.generation.manifest
      return manifest.title.lowercased() == manifest.id ? manifest.id : "\(manifest.id) (\(manifest.title))"
    }
    let key =
      caller.grant == nil
      ? " Without a key only public tools are there: send one as 'Authorization: Bearer <key>'."
      : " The key in 'Authorization: Bearer <key>' decides which tools are there."
    let start = "Tools are named <automation>_<operation>. Automations: "
    var list = ""
    var left = names.count
    for name in names {
      // Room for "and 12345 more.", the key, and a separator.
      if start.count + list.count + name.count + key.count + 24 > opening { break }
      list += list.isEmpty ? name : ", \(name)"
      left -= 1
    }
    if left > 0 { list += list.isEmpty ? "\(left)" : " and \(left) more" }
    if names.isEmpty { list = "none that this caller may use" }
    return start + list + "." + key
      + "\n\nA result with isError says what was wrong and what to do: correct the arguments and call again, or wait as long"
      + " as it says. Lists come in pages: pass the cursor of one page to get the next. Amounts, formats and limits are in"
      + " each tool's inputSchema."
  }
}

package import Kernel

/// JSON Merge Patch (RFC 7396): objects merge member by member, null removes, anything else replaces.
package enum MergePatch {
  package static func apply(_ patch: JSONValue, to target: JSONValue) -> JSONValue {
    guard case .object(let changes) = patch else { return patch }
    var members = target.object ?? [:]
    for (name, change) in changes {
      if change == .null {
        members[name] = nil
      } else {
        members[name] = apply(change, to: members[name] ?? .null)
      }
    }
    return .object(members)
  }
}

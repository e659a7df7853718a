import Kernel

/// What the host reads of a message's `params`, as places in the document; 0 for what is not there.
struct Parameters: Equatable {
  var name = 0
  var arguments = 0
  var uri = 0
  var cursor = 0
  var notifications = 0
  var inputResponses = 0
  var requestState = 0
  /// Of `initialize`.
  var protocolVersion = 0
  var meta = 0
  var fields = Meta()

  /// What it reads of `params._meta`.
  struct Meta: Equatable {
    var protocolVersion = 0
    var clientCapabilities = 0
    var progressToken = 0
  }

  static let versionKey: StaticString = "io.modelcontextprotocol/protocolVersion"
  static let capabilitiesKey: StaticString = "io.modelcontextprotocol/clientCapabilities"

  static func read(_ message: Message, _ root: borrowing JSONElement) throws(RPCFault) -> Parameters {
    var all = Parameters()
    guard message.params > 0 else { return all }
    let params = root.value(at: message.params)
    var members = params.members
    while members.next() {
      let (key, place) = (members.key, members.value.index)
      if key.isEqual(to: "name") {
        try note(place, in: &all.name)
      } else if key.isEqual(to: "arguments") {
        try note(place, in: &all.arguments)
      } else if key.isEqual(to: "_meta") {
        try note(place, in: &all.meta)
      } else if key.isEqual(to: "uri") {
        try note(place, in: &all.uri)
      } else if key.isEqual(to: "cursor") {
        try note(place, in: &all.cursor)
      } else if key.isEqual(to: "notifications") {
        try note(place, in: &all.notifications)
      } else if key.isEqual(to: "inputResponses") {
        try note(place, in: &all.inputResponses)
      } else if key.isEqual(to: "requestState") {
        try note(place, in: &all.requestState)
      } else if key.isEqual(to: "protocolVersion") {
        try note(place, in: &all.protocolVersion)
      }
    }
    if all.meta > 0 { all.fields = try meta(root.value(at: all.meta)) }
    return all
  }

  private static func meta(_ element: borrowing JSONElement) throws(RPCFault) -> Meta {
    var meta = Meta()
    var members = element.members
    while members.next() {
      let (key, place) = (members.key, members.value.index)
      if key.isEqual(to: versionKey) {
        try note(place, in: &meta.protocolVersion)
      } else if key.isEqual(to: capabilitiesKey) {
        try note(place, in: &meta.clientCapabilities)
      } else if key.isEqual(to: "progressToken") {
        try note(place, in: &meta.progressToken)
      }
    }
    return meta
  }

  private static func note(_ place: Int, in slot: inout Int) throws(RPCFault) {
    if slot > 0 { throw .parameters("A member of 'params' stands there twice.") }
    slot = place
  }
}

import Kernel

/// One JSON-RPC 2.0 message (jsonrpc.org/specification): where its parts stand in the document that was read.
///
/// A place is a ``JSONElement/index``; 0, which is none, where the message lacks the part.
struct Message: Equatable {
  enum Kind: Equatable {
    case request
    /// Wants no answer.
    case notification
    /// Answers a request that this host never sends.
    case response
  }

  var kind = Kind.request
  var id = 0
  var method = 0
  var params = 0

  /// Of an id that is text: it comes back in every answer.
  static let maxIDBytes = 256

  static func read(_ root: borrowing JSONElement) throws(RPCFault) -> Message {
    switch root.kind {
    case .object: break
    case .array: throw .notAMessage("A batch is not taken: send one message in each request.")
    default: throw .notAMessage("The body must be one JSON-RPC message, a JSON object.")
    }
    var message = Message()
    var version = 0
    var isAnswer = false
    var members = root.members
    while members.next() {
      let (key, place) = (members.key, members.value.index)
      if key.isEqual(to: "jsonrpc") {
        try note(place, in: &version)
      } else if key.isEqual(to: "id") {
        try note(place, in: &message.id)
      } else if key.isEqual(to: "method") {
        try note(place, in: &message.method)
      } else if key.isEqual(to: "params") {
        try note(place, in: &message.params)
      } else if key.isEqual(to: "result") || key.isEqual(to: "error") {
        isAnswer = true
      }
    }
    guard version > 0, let text = root.value(at: version).utf8, text.isEqual(to: "2.0") else {
      throw .notAMessage("The member 'jsonrpc' must be \"2.0\".")
    }
    if message.method == 0, isAnswer {
      message.kind = .response
      return message
    }
    guard message.method > 0, case .string = root.value(at: message.method).kind else {
      throw .notAMessage("The member 'method' must be a string.")
    }
    if message.params > 0, root.value(at: message.params).kind != .object {
      throw .notAMessage("The member 'params' must be an object.")
    }
    guard message.id > 0 else {
      message.kind = .notification
      return message
    }
    guard isID(root.value(at: message.id)) else {
      throw .notAMessage(
        "The member 'id' must be an integer or a string of at most \(maxIDBytes) bytes.")
    }
    return message
  }

  /// The place of a message's id, when that at least can be read; 0 otherwise. For the answer to one that is refused.
  static func readID(_ root: borrowing JSONElement) -> Int {
    var members = root.members
    var place = 0
    while members.next() {
      guard members.key.isEqual(to: "id") else { continue }
      if place > 0 { return 0 }
      place = members.value.index
    }
    return place > 0 && isID(root.value(at: place)) ? place : 0
  }

  private static func isID(_ element: borrowing JSONElement) -> Bool {
    switch element.kind {
    case .integer, .unsigned: return true
    case .string: return (element.utf8?.count ?? 0) <= maxIDBytes
    default: return false
    }
  }

  /// A member that stands twice means one thing to a proxy and another to the host.
  private static func note(_ place: Int, in slot: inout Int) throws(RPCFault) {
    if slot > 0 { throw .notAMessage("A member of the message stands there twice.") }
    slot = place
  }
}

/// The methods that this host knows, by the names on the wire.
enum Method: Equatable {
  case callTool, listTools, discover, listResources, readResource, listTemplates, listen
  case initialize, ping

  init?(_ name: borrowing JSONElement) {
    guard let text = name.utf8 else { return nil }
    if text.isEqual(to: "tools/call") {
      self = .callTool
    } else if text.isEqual(to: "tools/list") {
      self = .listTools
    } else if text.isEqual(to: "server/discover") {
      self = .discover
    } else if text.isEqual(to: "resources/list") {
      self = .listResources
    } else if text.isEqual(to: "resources/read") {
      self = .readResource
    } else if text.isEqual(to: "resources/templates/list") {
      self = .listTemplates
    } else if text.isEqual(to: "subscriptions/listen") {
      self = .listen
    } else if text.isEqual(to: "initialize") {
      self = .initialize
    } else if text.isEqual(to: "ping") {
      self = .ping
    } else {
      return nil
    }
  }

  /// Whether that era has the method.
  func exists(in era: Era) -> Bool {
    switch self {
    case .discover, .listen: era == .modern
    case .initialize, .ping: era == .previous
    case .callTool, .listTools, .listResources, .readResource, .listTemplates: true
    }
  }
}

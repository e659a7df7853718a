import Kernel

/// Where a page of a list begins: after the item of that name, whatever a reload put around it.
enum ListCursor {
  static func text(after name: String) -> String { Base64URL.encode(Array("1\(name)".utf8)) }

  /// The name; throws -32602 for what this host never gave out.
  static func name(_ element: borrowing JSONElement, maxBytes: Int) throws(RPCFault) -> String {
    guard let text = element.string, text.utf8.count <= maxBytes, let bytes = Base64URL.decode(text),
      bytes.first == UInt8(ascii: "1"), let name = String(validating: bytes.dropFirst(), as: UTF8.self)
    else { throw .parameters("Invalid cursor. Begin again without one.") }
    return name
  }
}

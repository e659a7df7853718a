import Application
import Kernel

/// Whose rules a request is under, and whether it keeps them.
enum Negotiation {
  /// A message that says its version in `_meta` is modern whatever else it says; so is one whose header asks for that
  /// revision. Everything else is of the era before, where only `initialize` names a version in its body.
  static func era(
    _ method: Method?, _ parameters: Parameters, _ headers: RoutingHeaders, _ head: Arena
  ) throws(RPCFault) -> Era {
    if parameters.fields.protocolVersion > 0 { return .modern }
    // The first message of that era comes before a version is settled on.
    if method == .initialize { return .previous }
    // Without the header it would be 2025-03-26, which is not spoken here (2026-07-28, basic/transports/streamable-http,
    // "Protocol Version Header").
    guard headers.hasVersion else {
      throw .headerMismatch(
        "The header MCP-Protocol-Version is missing. Begin with initialize, or say a version in params._meta as well."
      )
    }
    if headers.isRepeated { throw repeated }
    let version = head.span(headers.version)
    if version.isEqual(to: Revision.modern.utf8.span) { return .modern }
    if Revision.previous.contains(where: { version.isEqual(to: $0.utf8.span) }) { return .previous }
    throw .unsupportedVersion(printable(version))
  }

  /// Holds a modern request against its headers and the versions that are served, in the order of the official server:
  /// what it lacks, where it contradicts itself, what is not served. Throws -32602, -32020, -32022.
  static func check(
    _ message: Message, _ method: Method?, _ parameters: Parameters, _ headers: RoutingHeaders,
    _ root: borrowing JSONElement, _ head: Arena
  ) throws(RPCFault) {
    if headers.isRepeated { throw repeated }
    let meta = parameters.fields
    if meta.protocolVersion == 0 || meta.clientCapabilities == 0 {
      let missing = [
        (meta.protocolVersion, Parameters.versionKey), (meta.clientCapabilities, Parameters.capabilitiesKey),
      ].filter { $0.0 == 0 }.map { "'\($0.1)'" }.joined(separator: " and ")
      throw .parameters("params._meta lacks \(missing).")
    }
    guard root.value(at: meta.clientCapabilities).kind == .object else {
      throw .parameters("'\(Parameters.capabilitiesKey)' in params._meta must be an object.")
    }
    guard headers.hasVersion, let version = root.value(at: meta.protocolVersion).utf8,
      head.span(headers.version).isEqual(to: version)
    else {
      throw .headerMismatch("The header MCP-Protocol-Version must be what params._meta says.")
    }
    guard let name = root.value(at: message.method).utf8, head.span(headers.method).isEqual(to: name) else {
      throw .headerMismatch("The header Mcp-Method must be the message's method.")
    }
    let named = method == .readResource ? parameters.uri : method == .callTool ? parameters.name : 0
    if named > 0, let text = root.value(at: named).utf8 {
      guard RoutingHeaders.isName(head.span(headers.name), text) else {
        throw .headerMismatch(
          "The header Mcp-Name must be params.\(method == .readResource ? "uri" : "name").")
      }
    }
    if !version.isEqual(to: Revision.modern.utf8.span) { throw .unsupportedVersion(printable(version)) }
  }

  /// The version that an `initialize` settles on: what the client asked for, or the newest of its era.
  static func settle(_ requested: String?) -> String {
    requested.flatMap { Revision.previous.contains($0) ? $0 : nil } ?? Revision.previous[0]
  }

  private static let repeated = RPCFault.headerMismatch(
    "MCP-Protocol-Version, Mcp-Method and Mcp-Name may each come once.")

  /// A header is bytes; what goes back in an answer is text.
  private static func printable(_ bytes: Span<UInt8>) -> String {
    var text = ""
    for index in 0..<min(bytes.count, 100) {
      text.unicodeScalars.append((0x20...0x7E).contains(bytes[index]) ? Unicode.Scalar(bytes[index]) : "?")
    }
    return text
  }
}

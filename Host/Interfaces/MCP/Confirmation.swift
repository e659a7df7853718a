import Application
import Domain
import Kernel

/// What a user agreed to: a text that goes to the client and comes back, bound to caller, tool and arguments.
///
/// It says nothing to who holds it, cannot be made or changed without this host's key, and ends by itself. It may come back
/// more than once until then: what must not happen twice needs the route's own idempotency.
struct Confirmation: Sendable {
  private static let label = Array("council mcp confirmation 1".utf8)
  private static let timeBytes = 8

  private let digests: any Digests
  private let key: [UInt8]
  private let seconds: Int

  /// The key is random: a user who agrees while one host takes over from another is asked once more.
  init(_ digests: any Digests, seconds: Int, key: [UInt8] = randomBytes(32)) {
    self.digests = digests
    self.key = key
    self.seconds = seconds
  }

  func state(for subject: [UInt8], at now: Timestamp) -> String {
    let expiry = Confirmation.bytes(now.microseconds + Int64(seconds) * 1_000_000)
    return Base64URL.encode(expiry + mac(expiry, subject).bytes)
  }

  func isValid(_ state: String, for subject: [UInt8], at now: Timestamp) -> Bool {
    guard state.utf8.count <= 64, let bytes = Base64URL.decode(state),
      bytes.count == Confirmation.timeBytes + Digest256.byteCount
    else { return false }
    let expiry = Array(bytes.prefix(Confirmation.timeBytes))
    guard let found = Digest256(Array(bytes.dropFirst(Confirmation.timeBytes))),
      found == mac(expiry, subject)
    else { return false }
    let ends = expiry.reduce(Int64(0)) { $0 << 8 | Int64($1) }
    return now.microseconds < ends
  }

  /// Who asks for what: the key's id, the tool, the arguments in one spelling.
  static func subject(key: String, tool: String, arguments: JSONValue) -> [UInt8] {
    // Names have no line ends.
    Array("\(key)\n\(tool)\n".utf8) + JSON.encode(arguments)
  }

  private func mac(_ expiry: [UInt8], _ subject: [UInt8]) -> Digest256 {
    digests.hmacSHA256(key: key.span, (Confirmation.label + expiry + subject).span)
  }

  private static func bytes(_ number: Int64) -> [UInt8] {
    (0..<timeBytes).map { UInt8(truncatingIfNeeded: number >> Int64(8 * (timeBytes - 1 - $0))) }
  }
}

extension Confirmation {
  /// Whether the client can put a question to its user: it has `elicitation` with forms, which `{}` means, too.
  static func canAsk(_ root: borrowing JSONElement, _ parameters: Parameters) -> Bool {
    let place = parameters.fields.clientCapabilities
    guard place > 0, let elicitation = root.value(at: place).member("elicitation".utf8.span),
      elicitation.kind == .object
    else { return false }
    return elicitation.count == 0 || elicitation.member("form".utf8.span) != nil
  }
}

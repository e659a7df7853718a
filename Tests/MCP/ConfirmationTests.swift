import Cryptography
import Kernel
import Testing

@testable import MCP

@Suite struct ConfirmationTests {
  private let confirmation = Confirmation(OpenSSLDigests(), seconds: 60, key: [UInt8](repeating: 7, count: 32))
  private let now = Timestamp(microseconds: 1_000_000_000)
  private let subject = Confirmation.subject(key: "k", tool: "t", arguments: ["b": 1, "a": "x"])

  @Test func holdsForItsSubjectUntilItEnds() {
    let state = confirmation.state(for: subject, at: now)
    #expect(confirmation.isValid(state, for: subject, at: now))
    #expect(confirmation.isValid(state, for: subject, at: Timestamp(microseconds: now.microseconds + 59_999_999)))
    #expect(!confirmation.isValid(state, for: subject, at: Timestamp(microseconds: now.microseconds + 60_000_000)))
  }

  @Test func isOfOneCallerToolAndArguments() {
    let state = confirmation.state(for: subject, at: now)
    for other in [
      Confirmation.subject(key: "j", tool: "t", arguments: ["b": 1, "a": "x"]),
      Confirmation.subject(key: "k", tool: "u", arguments: ["b": 1, "a": "x"]),
      Confirmation.subject(key: "k", tool: "t", arguments: ["b": 2, "a": "x"]),
      Confirmation.subject(key: "k", tool: "t", arguments: [:]),
    ] {
      #expect(!confirmation.isValid(state, for: other, at: now))
    }
    // However the client spells them.
    #expect(confirmation.isValid(state, for: Confirmation.subject(key: "k", tool: "t", arguments: ["a": "x", "b": 1]), at: now))
  }

  @Test func cannotBeMadeOrChanged() {
    let state = confirmation.state(for: subject, at: now)
    for index in state.indices {
      var forged = Array(state)
      forged[state.distance(from: state.startIndex, to: index)] = forged.first == "A" ? "B" : "A"
      if String(forged) != state { #expect(!confirmation.isValid(String(forged), for: subject, at: now)) }
    }
    let other = Confirmation(OpenSSLDigests(), seconds: 60, key: [UInt8](repeating: 8, count: 32))
    #expect(!other.isValid(state, for: subject, at: now))
    for text in ["", "x", state + "A", String(state.dropLast()), String(repeating: "A", count: 54), "\u{e9}"] {
      #expect(!confirmation.isValid(text, for: subject, at: now))
    }
  }
}

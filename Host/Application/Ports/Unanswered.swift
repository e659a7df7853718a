package import Domain
package import Kernel

/// Why the host answers in the place of a handler that may have begun.
package struct Unanswered: Sendable {
  package let status: Int
  package let code: String
  private let reason: String

  /// `reason` is a sentence.
  package init(_ status: Int, _ code: String, _ reason: String) {
    self.status = status
    self.code = code
    self.reason = reason
  }

  /// What the caller is told: after a request that only reads, to send it again; after any other that nobody knows what came
  /// of it, without a Retry-After, which libraries take for a leave to send it again.
  package func problem(of method: HTTPMethod) -> Problem {
    method.isSafe
      ? Problem(status, code, "\(reason) Send it again.", retryAfterSeconds: 1)
      : Problem(
        status, code,
        "\(reason) It may have been carried out, or still be: read what it changes before you send it again. Where an Idempotency-Key is taken, the same call with one takes effect once."
      )
  }
}

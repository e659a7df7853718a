import Application
package import Domain
import Kernel

extension Gateway {
  package struct Limits: Sendable {
    /// Of callers without a key, per address.
    package var anonymous: RateLimit
    /// How many violations a validation answer lists.
    package var violations: Int
    /// Levels of a JSON body.
    package var jsonDepth: Int
    package var inline: InlineWatch.Limits
    /// Unicode scalars of an answer.
    package var answerCharacters: Int
    /// Bytes of the path and query that a call by name becomes: what a request may have comes from its head.
    package var targetBytes: Int
    package var jobs: Jobs.Limits

    package init(
      anonymous: RateLimit = RateLimit(requests: 200, per: .seconds(60)), violations: Int = 20,
      jsonDepth: Int = JSONDocument.defaultMaxDepth, inline: InlineWatch.Limits = InlineWatch.Limits(),
      answerCharacters: Int = HostConfiguration.defaults.answerCharacters, targetBytes: Int = 8192,
      jobs: Jobs.Limits = Jobs.Limits()
    ) {
      self.anonymous = anonymous
      self.violations = violations
      self.jsonDepth = jsonDepth
      self.inline = inline
      self.answerCharacters = answerCharacters
      self.targetBytes = targetBytes
      self.jobs = jobs
    }
  }
}

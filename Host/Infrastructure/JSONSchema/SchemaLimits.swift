/// What a schema may cost to compile, and a document to validate. Every figure is a count of its name.
package struct SchemaLimits: Sendable {
  /// Levels of nested schemas.
  package var schemaDepth = 64
  /// Subschemas of one schema, those it refers to included.
  package var nodes = 20_000
  /// Values in all its `const` and `enum`.
  package var constants = 100_000
  package var patterns = 1_000
  package var patternBytes = 4_096
  /// Backtracking steps of one pattern from one place in a string (PCRE2's match limit), less in long strings, and
  /// its memory.
  package var patternSteps: UInt32 = 200_000
  package var patternKilobytes: UInt32 = 4_096
  /// What all patterns of one validation may take.
  package var patternTime = Duration.milliseconds(100)
  /// Subschemas inside each other while a document is validated.
  package var evaluationDepth = 256
  /// Stack that they may take; a thread that validates has that much and 128 KB more. The depth above takes at
  /// most 280 KB in a release build, and more without optimisation.
  package var stackBytes = 384 * 1024
  /// Subschemas applied to one document, beside 64 for each of the document's values.
  package var evaluations = 200_000
  /// Errors of one schema that a refusal lists.
  package var reportedErrors = 50

  package init() {}
}

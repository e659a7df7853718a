/// How large the parts of one records call may be. Every engine keeps to the same limits.
package struct RecordLimits: Sendable, Equatable {
  /// Items of a page when the query names no `limit`.
  package var defaultPage = 20
  package var maxPage = 200
  /// How deep `and`, `or` and `not` may nest.
  package var maxFilterDepth = 8
  /// Comparisons in one filter.
  package var maxClauses = 64
  /// Values of one `in` or `nin`.
  package var maxListValues = 128
  package var maxOrderFields = 4
  /// Bytes of the text that a search takes, and words in it.
  package var maxSearchBytes = 1024
  package var maxSearchWords = 16
  package var maxCursorBytes = 4096
  /// Bytes of an id; it holds no control characters.
  package var maxIDBytes = 128
  /// Bytes of one document, as it comes and as it is kept.
  package var maxDocumentBytes = 1 << 20
  /// Bytes of a query, and of a named query's parameters.
  package var maxQueryBytes = 64 * 1024
  package var maxBatchOperations = 100
  package var maxBatchBytes = 4 << 20
  /// Errors that one answer lists.
  package var maxErrors = 32
  package var maxCollections = 100
  /// Declared fields of one collection.
  package var maxFields = 200
  package var maxIndexes = 32
  package var maxIndexFields = 8
  package var maxNamedQueries = 200

  package init() {}
}

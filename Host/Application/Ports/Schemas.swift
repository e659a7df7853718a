package import Kernel

/// Compiles JSON Schema 2020-12 documents, once, when a generation loads.
package protocol SchemaCompiler: Sendable {
  /// Throws `schema.unsupported` or `schema.invalid` (422), with a member `errors`: pointer and reason of each.
  func compile(_ schema: JSONValue) throws(Problem) -> any CompiledSchema
}

/// One violation: where in the document, which keyword, and what it says to a person or a model.
package struct SchemaViolation: Sendable, Equatable {
  /// JSON Pointer (RFC 6901) into the document.
  package var pointer: String
  package var keyword: String
  package var message: String

  package init(pointer: String, keyword: String, message: String) {
    self.pointer = pointer
    self.keyword = keyword
    self.message = message
  }
}

/// A compiled schema. Concurrent; allocates nothing when the document is valid.
package protocol CompiledSchema: AnyObject, Sendable {
  /// The violations, at most `limit`, empty when valid. Object keys that repeat are a violation.
  func validate(_ document: borrowing JSONElement, limit: Int) -> [SchemaViolation]

  /// How a query or path parameter of that name becomes JSON before the object of parameters is validated:
  /// the type its property schema asks for, string when it says none.
  func parameterType(_ name: String) -> ParameterType
}

package enum ParameterType: Sendable, Equatable {
  case string, integer, number, boolean
  /// A parameter that may repeat; each occurrence is one element.
  indirect case array(ParameterType)
}

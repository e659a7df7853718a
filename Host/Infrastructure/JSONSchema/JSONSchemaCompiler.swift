package import Application
package import Kernel

/// Compiles JSON Schema 2020-12 into programs that any thread may run.
///
/// Supported is the whole draft, except what needs a network: a `$ref` to a document that is neither given in
/// `documents` nor one of the draft's own metaschemas, a `$schema` other than the draft's (or one that is given),
/// and a required vocabulary that is unknown. Those are refused by name, with `schema.unsupported`.
///
/// Numbers of a schema come as ``JSONValue`` has them: integers of 64 bits are exact, larger ones count as the
/// nearest double. The order of keys does not matter: alternatives, patterns and messages go by the schema's
/// lists and by the order of names.
package final class JSONSchemaCompiler: SchemaCompiler {
  private let limits: SchemaLimits
  private let assertsFormats: Bool
  private let documents: [String: JSONValue]
  // One per thread for all schemas of this compiler: a validation never runs inside another.
  private let scratches: ThreadSlots<Scratch>

  /// - Parameters:
  ///   - assertsFormats: Whether `format` decides about validity, or only describes (what the draft says by itself).
  ///     A format that the draft names and this host does not check is then refused; any other is ignored.
  ///   - documents: Schemas that `$ref` may name by their absolute URI.
  package init(
    limits: SchemaLimits = SchemaLimits(), assertsFormats: Bool = true, documents: [String: JSONValue] = [:]
  ) {
    self.limits = limits
    self.assertsFormats = assertsFormats
    self.documents = documents
    scratches = ThreadSlots { _ in Scratch(limits: limits) }
  }

  package func compile(_ schema: JSONValue) throws(Problem) -> any CompiledSchema {
    let graph = try SchemaReader.read(
      schema, library: documents, limits: limits, assertsFormats: assertsFormats)
    if let node = ReferenceLoops.find(in: graph) {
      var errors = SchemaErrors(limit: 1)
      errors.add(.invalid, at: graph.nodes[node].location.pointer, "refers to itself without end")
      throw errors.problem!
    }
    return ProgramAssembler.assemble(graph, limits: limits, scratches: scratches)
  }
}

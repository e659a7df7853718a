import Application
import Kernel

@testable import JSONSchema

/// What tests say about a schema and a document, both as text.
func violations(
  _ schema: String, _ document: String, limit: Int = 20, limits: SchemaLimits = SchemaLimits(),
  formats: Bool = true
) throws -> [SchemaViolation] {
  let compiled = try compile(schema, limits: limits, formats: formats)
  return try violations(compiled, document, limit: limit)
}

func violations(_ schema: any CompiledSchema, _ document: String, limit: Int = 20) throws -> [SchemaViolation]
{
  let bytes = Array(document.utf8)
  let parsed = JSONDocument(maxDepth: 1024)
  try parsed.parse(bytes.span)
  return schema.validate(parsed.root, limit: limit)
}

/// `pointer keyword` of each violation.
func outline(_ schema: String, _ document: String, limit: Int = 20, limits: SchemaLimits = SchemaLimits())
  throws
  -> [String]
{
  try violations(schema, document, limit: limit, limits: limits).map { "\($0.pointer) \($0.keyword)" }
}

func isValid(
  _ schema: String, _ document: String, limits: SchemaLimits = SchemaLimits(), formats: Bool = true
) throws
  -> Bool
{
  try violations(schema, document, limits: limits, formats: formats).isEmpty
}

func compile(
  _ schema: String, limits: SchemaLimits = SchemaLimits(), formats: Bool = true,
  documents: [String: JSONValue] = [:]
) throws -> any CompiledSchema {
  let compiler = JSONSchemaCompiler(limits: limits, assertsFormats: formats, documents: documents)
  return try compiler.compile(json(schema))
}

func json(_ text: String) throws -> JSONValue {
  let bytes = Array(text.utf8)
  return try JSONValue.parse(bytes.span, maxDepth: 1024)
}

/// The code of the problem that compiling gives, and `pointer` of each of its errors; nil when it compiles.
func refusal(
  _ schema: String, limits: SchemaLimits = SchemaLimits(), formats: Bool = true
) throws -> (code: String, pointers: [String])? {
  do {
    _ = try compile(schema, limits: limits, formats: formats)
    return nil
  } catch let problem as Problem {
    let errors = problem.members["errors"]?.array ?? []
    return (problem.code, errors.compactMap { $0["pointer"]?.string }.sorted())
  }
}

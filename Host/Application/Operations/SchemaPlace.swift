/// What stands under a keyword of JSON Schema 2020-12: so a walk takes a property named `default` for a schema, and what
/// stands under the keyword for a value.
package enum SchemaPlace: Sendable {
  /// A schema, or a list of them.
  case schema
  /// Schemas by names of the author's.
  case named
  /// A value, a text, a number: nothing in it is a schema.
  case value

  package init(under keyword: String) {
    switch keyword {
    case "properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "dependencies":
      self = .named
    case "items", "prefixItems", "contains", "additionalItems", "additionalProperties", "propertyNames",
      "unevaluatedItems", "unevaluatedProperties", "contentSchema", "allOf", "anyOf", "oneOf", "not", "if",
      "then",
      "else":
      self = .schema
    default: self = .value
    }
  }
}

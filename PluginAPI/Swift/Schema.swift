/// Short spellings for schemas that are written by hand.
extension JSON {
  /// The schema of an object with exactly these properties.
  public static func objectSchema(_ properties: JSON, required: [String] = []) -> JSON {
    var schema: JSON = ["type": "object", "properties": properties]
    if !required.isEmpty { schema = schema.with("required", .array(required.map(JSON.string))) }
    return schema.with("additionalProperties", false)
  }
}

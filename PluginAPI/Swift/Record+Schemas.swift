// JSON Schemas (2020-12) that follow from the declaration of a record.

extension Record {
  /// A document to insert: every field, `required` where there is no default, and nothing else.
  public static var draftSchema: JSON {
    let needed = fields.filter { $0.isRequired && $0.defaultValue == nil }.map { JSON.string($0.name) }
    var schema: JSON = ["type": "object", "properties": properties { $0.schema }]
    if !needed.isEmpty { schema = schema.with("required", .array(needed)) }
    return schema.with("additionalProperties", false)
  }

  /// A merge patch (RFC 7396): any of the fields, at least one; null removes a field that is not required.
  public static var changesSchema: JSON {
    [
      "type": "object", "properties": properties { $0.isRequired ? $0.schema : $0.nullableSchema },
      "minProperties": 1, "additionalProperties": false,
    ]
  }

  /// A record as the host returns it.
  public static var recordSchema: JSON {
    let always = ["id", "version", "created_at", "updated_at"] + fields.filter(\.isRequired).map(\.name)
    let own: [JSON.Member] = [
      .init("id", ["type": "string", "description": "What names the record"]),
      .init(
        "version",
        ["type": "integer", "minimum": 1, "description": "1 when it is made, one more with every change"]),
      .init("created_at", ["type": "string", "format": "date-time", "description": "When it was made"]),
      .init("updated_at", ["type": "string", "format": "date-time", "description": "When it last changed"]),
    ]
    let declared = properties { $0.isRequired ? $0.schema : $0.nullableSchema }.members ?? []
    return [
      "type": "object", "properties": .object(own + declared),
      "required": .array(always.map(JSON.string)),
    ]
  }

  /// A page of records: `{"items":[…],"next":cursor|null}`.
  public static var pageSchema: JSON {
    [
      "type": "object",
      "properties": [
        "items": ["type": "array", "items": recordSchema, "description": "The records of this page"],
        "next": [
          "type": ["string", "null"],
          "description": "Give it as `after` to get the page that follows; null on the last one",
        ],
      ],
      "required": ["items", "next"],
    ]
  }

  private static func properties(_ schema: (Field) -> JSON) -> JSON {
    .object(fields.map { JSON.Member($0.name, schema($0)) })
  }
}

extension Field {
  /// What a value of this field looks like.
  public var schema: JSON { schema(nullable: false) }

  var nullableSchema: JSON { schema(nullable: true) }

  private func schema(nullable: Bool) -> JSON {
    var members: [JSON.Member] = []
    if let type = schemaType {
      members.append(.init("type", nullable ? [.string(type), "null"] : .string(type)))
    }
    if kind == .timestamp { members.append(.init("format", "date-time")) }
    if let allowed {
      members.append(.init("enum", .array(allowed.map(JSON.string) + (nullable ? [.null] : []))))
    }
    if let length {
      members.append(.init("minLength", .integer(Int64(length.lowerBound))))
      members.append(.init("maxLength", .integer(Int64(length.upperBound))))
    }
    if let pattern { members.append(.init("pattern", .string(pattern))) }
    if let minimum { members.append(.init("minimum", minimum)) }
    if let maximum { members.append(.init("maximum", maximum)) }
    if let summary { members.append(.init("description", .string(summary))) }
    if let example { members.append(.init("examples", [example])) }
    return .object(members)
  }

  private var schemaType: String? {
    switch kind {
    case .string, .timestamp: "string"
    case .integer: "integer"
    case .number: "number"
    case .boolean: "boolean"
    case .json: nil
    }
  }
}

import Kernel

/// Which keywords a schema resource uses: the vocabularies of its metaschema.
struct Dialect: Equatable {
  var appliesSchemas = true
  var unevaluated = true
  var validates = true
  /// Nil when the host decides.
  var assertsFormats: Bool?

  static let standardURI = "https://json-schema.org/draft/2020-12/schema"
  static let vocabularies = "https://json-schema.org/draft/2020-12/vocab/"

  /// Nil when one that is required is unknown.
  init?(vocabulary: [String: JSONValue]) {
    func uses(_ name: String) -> Bool { vocabulary[Dialect.vocabularies + name] != nil }
    let known = [
      "core", "applicator", "unevaluated", "validation", "meta-data", "format-annotation", "format-assertion",
      "content",
    ].map { Dialect.vocabularies + $0 }
    for (uri, required) in vocabulary where required.bool == true && !known.contains(uri) { return nil }
    appliesSchemas = uses("applicator")
    unevaluated = uses("unevaluated")
    validates = uses("validation")
    if uses("format-assertion") { assertsFormats = true }
  }

  init() {}
}

/// A schema with its own URI: a document, or a part of one that has `$id`.
struct SchemaResource {
  var uri: String
  var location: SchemaLocation
  var dialect: Dialect
  /// Pointers within the document.
  var anchors: [String: String] = [:]
  var dynamicAnchors: [String: String] = [:]
}

/// The documents that one schema can refer to, by URI. Nothing is fetched: what is not here does not exist.
struct SchemaDocuments {
  private(set) var roots: [JSONValue] = []
  private(set) var resources: [SchemaResource] = []
  var errors: SchemaErrors
  private var byURI: [String: Int] = [:]
  private var byLocation: [SchemaLocation: Int] = [:]
  /// Documents not yet read, by URI.
  private let library: [String: JSONValue]
  private let limits: SchemaLimits
  private var schemas = 0

  init(_ schema: JSONValue, library: [String: JSONValue], limits: SchemaLimits) {
    self.library = library
    self.limits = limits
    errors = SchemaErrors(limit: limits.reportedErrors)
    read(schema, uri: "")
  }

  /// How an error names a place: the pointer alone in the document that is compiled.
  func name(_ location: SchemaLocation) -> String {
    guard location.document > 0 else { return location.pointer }
    let resource = byLocation[SchemaLocation(document: location.document, pointer: "")]!
    return "\(resources[resource].uri)#\(location.pointer)"
  }

  func value(at location: SchemaLocation) -> JSONValue? {
    JSONPointer.value(location.pointer, in: roots[location.document])
  }

  /// The resource whose root is there; nil for any other schema.
  func resource(at location: SchemaLocation) -> Int? { byLocation[location] }

  /// The schema that `reference` names when it stands in `resource`; nil when there is none.
  mutating func find(_ reference: URIReference, from resource: Int) -> (
    location: SchemaLocation, resource: Int
  )? {
    let uri = URIReference.resolve(reference.absolute, against: resources[resource].uri)
    if byURI[uri] == nil, let document = library[uri] ?? Metaschemas.documents[uri] {
      read(document, uri: uri)
    }
    guard let found = byURI[uri] else { return nil }
    let root = resources[found].location
    guard let fragment = reference.fragment, !fragment.isEmpty else { return (root, found) }
    guard fragment.hasPrefix("/") else {
      guard let pointer = resources[found].anchors[fragment] else { return nil }
      return (SchemaLocation(document: root.document, pointer: pointer), found)
    }
    guard let tokens = JSONPointer.tokens(fragment) else { return nil }
    var location = root
    var owner = found
    for token in tokens {
      location = location.appending(token)
      if let inner = byLocation[location] { owner = inner }
    }
    return value(at: location) == nil ? nil : (location, owner)
  }

  func knows(_ uri: String) -> Bool { byURI[uri] != nil }

  // MARK: Reading

  private mutating func read(_ document: JSONValue, uri: String) {
    roots.append(document)
    let root = SchemaLocation(document: roots.count - 1, pointer: "")
    addResource(SchemaResource(uri: uri, location: root, dialect: Dialect()))
    if let dialect = dialect(of: document, at: root) { resources[resources.count - 1].dialect = dialect }
    visit(document, root, resource: resources.count - 1, depth: 0)
  }

  private mutating func addResource(_ resource: SchemaResource) {
    if byURI[resource.uri] != nil {
      errors.add(.invalid, at: name(resource.location), "another schema has the URI \(resource.uri)")
    }
    byURI[resource.uri] = resources.count
    byLocation[resource.location] = resources.count
    resources.append(resource)
  }

  /// Notes the URIs and anchors of a schema and of those in it.
  private mutating func visit(_ schema: JSONValue, _ location: SchemaLocation, resource: Int, depth: Int) {
    guard let members = schema.object else { return }
    schemas += 1
    guard schemas <= limits.nodes, depth <= limits.schemaDepth else {
      if schemas <= limits.nodes || schemas == limits.nodes + 1 {
        errors.add(
          .invalid, at: name(location),
          "more than \(limits.nodes) schemas, or more than \(limits.schemaDepth) levels of them")
      }
      return
    }
    var resource = resource
    if let id = members["$id"]?.string { resource = identify(id, schema, location, within: resource) }
    anchor(members, location, resource: resource)
    for child in SchemaKeywords.subschemas(of: members) {
      visit(
        child.schema, child.path.reduce(location) { $0.appending($1) }, resource: resource, depth: depth + 1)
    }
  }

  private mutating func identify(
    _ id: String, _ schema: JSONValue, _ location: SchemaLocation, within parent: Int
  ) -> Int {
    guard let reference = URIReference(id), reference.fragment?.isEmpty != false else {
      errors.add(.invalid, at: name(location.appending("$id")), "not a URI without a fragment")
      return parent
    }
    let uri = URIReference.resolve(reference.absolute, against: resources[parent].uri)
    if location.pointer.isEmpty {
      // A document may be found by its own name and by the one it was registered under.
      resources[parent].uri = uri
      byURI[uri] = parent
      return parent
    }
    let dialect = dialect(of: schema, at: location) ?? resources[parent].dialect
    addResource(SchemaResource(uri: uri, location: location, dialect: dialect))
    return resources.count - 1
  }

  private mutating func anchor(_ members: [String: JSONValue], _ location: SchemaLocation, resource: Int) {
    for keyword in ["$anchor", "$dynamicAnchor"] {
      guard let anchor = members[keyword]?.string else { continue }
      guard isAnchor(anchor) else {
        errors.add(.invalid, at: name(location.appending(keyword)), "not a name: [A-Za-z_][A-Za-z0-9._-]*")
        continue
      }
      if let other = resources[resource].anchors[anchor], other != location.pointer {
        errors.add(.invalid, at: name(location.appending(keyword)), "the anchor \(anchor) exists twice")
      }
      resources[resource].anchors[anchor] = location.pointer
      if keyword == "$dynamicAnchor" { resources[resource].dynamicAnchors[anchor] = location.pointer }
    }
  }

  private func isAnchor(_ text: String) -> Bool {
    var isFirst = true
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"):
        break
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
        if isFirst { return false }
      default: return false
      }
      isFirst = false
    }
    return !isFirst
  }

  /// What `$schema` asks for; nil when there is none.
  private mutating func dialect(of schema: JSONValue, at location: SchemaLocation) -> Dialect? {
    guard let text = schema["$schema"] else { return nil }
    guard let uri = text.string.flatMap(URIReference.init) else {
      errors.add(.invalid, at: name(location.appending("$schema")), "not a URI")
      return nil
    }
    if uri.absolute == Dialect.standardURI || Metaschemas.documents[uri.absolute] != nil { return Dialect() }
    guard let metaschema = library[uri.absolute] else {
      errors.add(
        .unsupported, at: name(location.appending("$schema")), "only \(Dialect.standardURI) is supported")
      return nil
    }
    guard let vocabulary = metaschema["$vocabulary"]?.object else { return Dialect() }
    guard let dialect = Dialect(vocabulary: vocabulary) else {
      errors.add(
        .unsupported, at: name(location.appending("$schema")), "it requires a vocabulary that is unknown here"
      )
      return nil
    }
    return dialect
  }
}

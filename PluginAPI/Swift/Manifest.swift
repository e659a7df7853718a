/// The document that an automation states about itself; PluginAPI/Manifest.md has its format.
enum Manifest {
  static func document<A: Automation>(of type: A.Type) throws -> JSON {
    let declarations = Declarations()
    let routes = try Declarations.$current.withValue(declarations) { try A().routes }
    let declared = declarations.all
    var members: [JSON.Member] = [.init("id", .string(A.id)), .init("version", .string(A.version))]
    if let other = A.versionOf { members.append(.init("version_of", .string(other))) }
    if let deprecation = A.deprecation { members.append(.init("deprecated", deprecation.json)) }
    if !A.title.isEmpty { members.append(.init("title", .string(A.title))) }
    if !A.summary.isEmpty { members.append(.init("summary", .string(A.summary))) }
    var requires: [JSON] = ["council.http/1"]
    if !declared.collections.isEmpty { requires.append("council.records/1") }
    if routes.all.contains(where: \.streams) { requires.append("council.stream/1") }
    members.append(.init("requires", .array(requires)))
    if let schema = declared.configSchema { members.append(.init("config", schema)) }
    if !declared.collections.isEmpty {
      members.append(.init("records", .array(declared.collections.map(\.manifest))))
    }
    members.append(.init("routes", .array(routes.all.map(\.manifest))))
    return .object(members)
  }
}

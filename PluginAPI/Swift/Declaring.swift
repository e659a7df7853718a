/// What the property wrappers of an automation declare while its `init` runs, and, in a host, what they are bound to.
final class Declarations: Sendable {
  struct Collection: Sendable {
    let name: String
    let manifest: JSON
  }

  struct Contents: Sendable {
    var collections: [Collection] = []
    var configSchema: JSON?
    /// The first thing that the host refused or that did not decode.
    var fault: ProblemError?
  }

  /// nil where only the manifest is wanted.
  let host: Host?
  /// The configuration, JSON; nil where only the manifest is wanted.
  let config: [UInt8]?
  private let contents = Guarded(Contents())

  init(host: Host? = nil, config: [UInt8]? = nil) {
    self.host = host
    self.config = config
  }

  /// The declarations that the running `init` adds to. A task-local, so that two automations can be made at once.
  @TaskLocal static var current: Declarations?

  var all: Contents { contents.withLock { $0 } }

  func add<Entity: Record>(_ entity: Entity.Type) {
    contents.withLock { contents in
      if contents.collections.contains(where: { $0.name == entity.collection }) { return }
      contents.collections.append(Collection(name: entity.collection, manifest: entity.manifest))
    }
  }

  /// The number of a collection in the host; 0 where there is no host.
  func bind(_ collection: String) -> UInt32 {
    guard let host else { return 0 }
    if let number = host.collection(collection) { return number }
    fail("The host has no collection '\(collection)'.")
    return 0
  }

  /// The configuration over the defaults; nil where there is none, or where it does not fit the type.
  func decodeConfig<Value: Codable>(over defaults: Value) -> Value? {
    guard let config else { return nil }
    do {
      var merged = try JSON(parsing: JSONCoding.encode(defaults))
      for member in try JSON(parsing: config).members ?? [] {
        merged = merged.with(member.name, member.value)
      }
      return try JSONCoding.decode(Value.self, from: merged.bytes.span)
    } catch let error as DecodingError {
      fail("The configuration does not fit: \(JSONCoding.reason(of: error)).")
    } catch {
      fail("The configuration cannot be read: \(error).")
    }
    return nil
  }

  private func fail(_ detail: String) {
    contents.withLock { contents in
      contents.fault = contents.fault ?? ProblemError(500, "plugin.create_failed", detail)
    }
  }

  func set(configSchema: JSON) { contents.withLock { $0.configSchema = configSchema } }
}

/// Declares a collection and gives access to it: `@Records var accounts: RecordsOf<Account>`.
@propertyWrapper
public struct Records<Entity: Record>: Sendable {
  public let wrappedValue: RecordsOf<Entity>

  public init() {
    let current = Declarations.current
    current?.add(Entity.self)
    wrappedValue = RecordsOf(
      host: current?.host, collection: current?.bind(Entity.collection) ?? 0, request: 0)
  }
}

/// Declares the automation's configuration: `@Configuration(schema: …) var settings = Settings()`.
///
/// The host validates the configuration against the schema before it makes an instance. Members that were not configured
/// keep the values that stand here.
@propertyWrapper
public struct Configuration<Value: Codable & Sendable>: Sendable {
  public let wrappedValue: Value

  /// The schema must describe an object.
  public init(wrappedValue: Value, schema: JSON) {
    let current = Declarations.current
    current?.set(configSchema: schema)
    self.wrappedValue = current?.decodeConfig(over: wrappedValue) ?? wrappedValue
  }
}

/// Writes into the host's log: `@Log var log`.
@propertyWrapper
public struct Log: Sendable {
  public let wrappedValue: Logger

  public init() { wrappedValue = Logger(host: Declarations.current?.host, request: 0) }
}

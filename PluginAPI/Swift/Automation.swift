/// A group of HTTP endpoints with its records: what one plugin implements.
///
/// ```swift
/// import CouncilPlugin
///
/// struct Greetings: Automation {
///   static let id = "greetings", version = "1.0.0"
///
///   var routes: Routes {
///     GET("/{name}", "Greet somebody") { Response.text("Hello, \(try $0.parameter("name"))!") }
///   }
/// }
///
/// @c(council_plugin_entry_v1) public func entry() -> PluginTable { export(Greetings.self) }
/// ```
///
/// The host makes one instance per generation. `init` also runs where the host only reads the manifest, in a probe
/// process too: it must do no I/O and start no threads; ``activate()`` is the place for that. `routes` is
/// read once per instance. Handlers run concurrently, so an automation is `Sendable`: state that changes belongs into
/// records or behind a lock.
public protocol Automation: Sendable {
  /// `[a-z][a-z0-9-]{0,62}`: the first segment of its paths.
  static var id: String { get }
  /// At most 64 characters; a semantic version is recommended.
  static var version: String { get }
  /// The automation that this is another version of: `accounts`, with the id `accounts-v2`. It serves below
  /// `/v2/accounts`, on the same records. Default: none.
  static var versionOf: String? { get }
  /// That all routes go which do not say so themselves. Default: none does.
  static var deprecation: Deprecation? { get }
  /// For people. Default: empty, which shows the id.
  static var title: String { get }
  /// What the automation is for, for people and models. Default: empty.
  static var summary: String { get }
  /// How long ``stop()`` waits for asynchronous handlers after cancelling them. Default: 5 seconds.
  static var stopTimeout: Duration { get }

  /// Throwing refuses the generation; the error's text reaches the admin.
  init() throws

  /// The routes; their order is their number.
  @RoutesBuilder var routes: Routes { get }

  /// The last step before requests arrive. Throwing refuses the generation. Default: nothing.
  func activate() throws
  /// No request comes after this one; those in flight go on. Default: nothing.
  func quiesce()
  /// Ends what ``activate()`` started. Asynchronous handlers have ended. Throwing tells the host that something still
  /// runs: it then leaves this instance alone for good. Default: nothing.
  func stop() throws
}

extension Automation {
  public static var versionOf: String? { nil }
  public static var deprecation: Deprecation? { nil }
  public static var title: String { "" }
  public static var summary: String { "" }
  public static var stopTimeout: Duration { .seconds(5) }
  public func activate() throws {}
  public func quiesce() {}
  public func stop() throws {}
}

import Application
import Audit
import Domain
import HTTPServer
import Kernel
import PluginRuntime

/// Everything that one run of the host is set to.
struct HostSettings {
  var home = "var"
  var load: [String] = []
  /// Where the first admin key and the first agent key go when no key exists; nil issues none.
  var firstKeys: String?
  var logLevel = LogLevel.info
  var publicListener = HTTPServerConfiguration(.address("127.0.0.1", port: 8080))
  var adminListener = HTTPServerConfiguration(.address("127.0.0.1", port: 8081))
  var defaultLimit = RateLimit(requests: 200, per: .seconds(60))
  var anonymousLimit = RateLimit(requests: 200, per: .seconds(60))
  var audit = JournalAuditTrail.Limits()
  var workers = Workers.Limits()
  var drain = DrainGenerations.Limits()
  var changes = ChangeAutomation.Limits()
  var routes = StartGeneration.Defaults()
  var pluginFileBytes = 64 << 20
  var probeTimeout = Duration.seconds(5)
  var callTimeout = Duration.seconds(10)
}

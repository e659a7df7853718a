import AdminAPI
import Application
import Audit
import CommandLineInterface
import Configuration
import Cryptography
import Domain
import Gateway
import HTTPServer
import Kernel
import PluginRuntime
import SQLiteStore

/// What one run of the host is set to: the command line goes before the file, and that before the defaults.
struct HostSettings {
  var home: String
  var load: [String]
  /// Where the first admin key and the first agent key go when no key exists; nil issues none.
  var firstKeys: String?
  let values: HostConfiguration

  init(_ options: ServeOptions) throws(Problem) {
    var values =
      try options.configFile.map { path throws(Problem) in try ConfigurationFile.read(path) }
      ?? HostConfiguration()
    if let port = options.port { values.publicListener.port = port }
    if let port = options.adminPort { values.adminListener.port = port }
    if let level = options.logLevel { values.logLevel = level }
    self.init(values, options)
  }

  init(_ values: HostConfiguration, _ options: ServeOptions = ServeOptions()) {
    self.values = values
    home = options.home ?? "var"
    load = options.load
    firstKeys = options.firstKeys
  }

  /// nil when no key file is set.
  func fieldCipher() throws(Problem) -> OpenSSLFieldCipher? {
    if values.recordsKeyFile.isEmpty { return nil }
    return OpenSSLFieldCipher(keys: try KeyFile.read(values.recordsKeyFile))
  }

  var logLevel: LogLevel { values.logLevel }
  var maxKeys: Int { values.maxKeys }
  var publicListener: HTTPServerConfiguration { http(values.publicListener) }
  var adminListener: HTTPServerConfiguration { http(values.adminListener) }
  var pluginFileBytes: Int { values.pluginFileBytes }

  var defaultLimit: RateLimit {
    RateLimit(requests: values.limitRequests, per: .seconds(values.limitPeriodSeconds))
  }

  var gateway: Gateway.Limits {
    .init(
      anonymous: RateLimit(requests: values.anonymousRequests, per: .seconds(values.anonymousPeriodSeconds)),
      violations: values.violations, jsonDepth: values.jsonDepth,
      inline: InlineWatch.Limits(
        blockedAfter: .milliseconds(values.inlineBlockedMilliseconds), strikes: values.inlineStrikes,
        window: .seconds(values.inlineWindowSeconds)))
  }

  var automations: AutomationLimits.Table {
    let usual = AutomationLimits(
      calls: values.automationCalls, cpuMilliseconds: values.automationCPUMilliseconds)
    return .init(
      usual: usual, own: AutomationLimits.overrides(values.automationOverrides, usual: usual).own,
      accounts: values.automationAccounts)
  }

  var admin: AdminApplication.Limits {
    .init(
      controlThreads: values.adminThreads, queuedJobs: values.adminQueue,
      maxJSONBytes: values.adminJSONBytes, jsonDepth: values.jsonDepth,
      maxUploadBytes: values.pluginFileBytes, maxPage: values.adminMaxPage,
      defaultPage: values.adminDefaultPage,
      hostNames: values.adminHostNames.split(separator: " ").map(String.init),
      metricsNeedKey: values.metricsNeedKey)
  }

  var audit: JournalAuditTrail.Limits {
    var limits = JournalAuditTrail.Limits()
    limits.ringBytes = values.auditRingBytes
    limits.flushInterval = .milliseconds(values.auditFlushMilliseconds)
    limits.segmentBytes = values.auditSegmentBytes
    limits.keptSegments = values.auditKeptSegments == 0 ? nil : values.auditKeptSegments
    limits.admitWait = .milliseconds(values.auditAdmitWaitMilliseconds)
    limits.actWait = .milliseconds(values.auditActWaitMilliseconds)
    limits.retryInterval = .milliseconds(values.auditRetryMilliseconds)
    limits.maxRead = values.auditMaxRead
    return limits
  }

  var workers: Workers.Limits {
    var limits = Workers.Limits(
      queue: values.workerQueue, share: values.workerShare, substitutes: values.workerSubstitutes,
      substituteShare: values.workerSubstituteShare, stackBytes: values.workerStackBytes)
    if values.workerThreads > 0 { limits.threads = values.workerThreads }
    return limits
  }

  var drain: DrainGenerations.Limits {
    .init(
      timeout: .milliseconds(values.drainTimeoutMilliseconds),
      grace: .milliseconds(values.drainGraceMilliseconds))
  }

  var changes: ChangeAutomation.Limits {
    .init(
      turn: .milliseconds(values.changeWaitMilliseconds),
      drainWait: .milliseconds(values.drainWaitMilliseconds),
      kept: values.keptGenerations, draining: values.maxDraining)
  }

  var routes: StartGeneration.Defaults {
    .init(
      deadline: .milliseconds(values.deadlineMilliseconds), maxBodyBytes: values.maxBodyBytes,
      checksAnswers: values.checksAnswers)
  }

  private func http(_ listener: HostConfiguration.Listener) -> HTTPServerConfiguration {
    var configuration = HTTPServerConfiguration(
      .address(listener.address, port: listener.port),
      tls: listener.tlsCertificate.isEmpty
        ? nil : .init(certificateFile: listener.tlsCertificate, keyFile: listener.tlsKey))
    configuration.threads = values.httpThreads
    configuration.maxConnections = values.maxConnections
    configuration.maxConnectionsPerAddress = values.maxConnectionsPerAddress
    configuration.maxHeadBytes = values.maxHeadBytes
    configuration.maxHeaders = values.maxHeaders
    configuration.idleTimeout = .milliseconds(values.idleTimeoutMilliseconds)
    configuration.headTimeout = .milliseconds(values.headTimeoutMilliseconds)
    configuration.bodyTimeout = .milliseconds(values.bodyTimeoutMilliseconds)
    configuration.sendTimeout = .milliseconds(values.sendTimeoutMilliseconds)
    configuration.minimumBytesPerSecond = values.minimumBytesPerSecond
    configuration.backlog = values.backlog
    configuration.exchangeSlack = values.exchangeSlack
    configuration.keptBytes = values.keptBytes
    configuration.drainIdle = .milliseconds(values.drainIdleMilliseconds)
    configuration.maxLingering = values.maxLingering
    configuration.lingerTime = .milliseconds(values.lingerMilliseconds)
    return configuration
  }
}

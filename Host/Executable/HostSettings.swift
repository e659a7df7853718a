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
import Supervision

/// What one run of the host is set to: the command line goes before the file, and that before the defaults.
struct HostSettings {
  var home: String
  var load: [String]
  /// Where the first admin key and the first agent key go when no key exists; nil issues none.
  var firstKeys: String?
  /// Read again for what may change while the host runs.
  var configFile: String?
  let values: HostConfiguration

  init(_ options: ServeOptions) throws(Problem) {
    try self.init(
      options,
      text: try options.configFile.map { path throws(Problem) in try ConfigurationFile.text(path) } ?? [])
  }

  /// `text` is what the configuration file says, empty when there is none.
  init(_ options: ServeOptions, text: [UInt8]) throws(Problem) {
    var values =
      try options.configFile.map { path throws(Problem) in try ConfigurationFile.parse(text, name: path) }
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
    configFile = options.configFile
  }

  /// What it takes to go from other settings to these.
  func change(from old: HostSettings) -> ConfigurationChange {
    ConfigurationChange(from: old.values, to: values)
  }

  /// nil when no key file is set.
  func fieldCipher() throws(Problem) -> OpenSSLFieldCipher? {
    if values.recordsKeyFile.isEmpty { return nil }
    return OpenSSLFieldCipher(keys: try KeyFile.read(values.recordsKeyFile))
  }

  var logLevel: LogLevel { values.logLevel }

  var succession: Succession.Limits {
    var limits = Succession.Limits()
    limits.backoff.first = .milliseconds(values.restartMinMilliseconds)
    limits.backoff.most = .milliseconds(values.restartMaxMilliseconds)
    limits.backoff.early = .milliseconds(values.earlyMilliseconds)
    limits.freeze = .milliseconds(values.freezeTimeoutMilliseconds)
    limits.boot = .milliseconds(values.bootTimeoutMilliseconds)
    limits.takeOver = .milliseconds(values.takeOverTimeoutMilliseconds)
    limits.drain = drain.timeout + drain.grace + .seconds(15)
    limits.leaving = values.maxLeaving
    limits.leave = handOverIdle + drain.timeout + limits.drain
    return limits
  }

  var heartbeat: Heartbeat.Limits {
    var limits = Heartbeat.Limits()
    limits.interval = .milliseconds(values.livenessIntervalMilliseconds)
    limits.patience = .milliseconds(values.livenessTimeoutMilliseconds)
    limits.report = .milliseconds(values.livenessReportMilliseconds)
    return limits
  }

  var repeatSuspect: RepeatSuspect {
    RepeatSuspect(ends: values.crashes, window: .milliseconds(values.crashWindowMilliseconds))
  }

  /// The supervisor hears what came of it before its own limit.
  var freezeLimit: Duration { succession.freeze * 4 / 5 }

  /// How long whoever asks for a hand-over waits: longer than it may take.
  var handOverPatience: Duration {
    succession.freeze + succession.boot + succession.takeOver + succession.takeOver + .seconds(5)
  }

  var crashPolicy: CrashPolicy {
    CrashPolicy(crashes: values.crashes, window: .milliseconds(values.crashWindowMilliseconds))
  }

  var retainedGenerations: Int { values.retainedGenerations }
  var handOverIdle: Duration { .milliseconds(values.handOverIdleMilliseconds) }

  /// The listeners on the sockets that the supervisor opened.
  var inherited: (publicListener: HTTPServerConfiguration, adminListener: HTTPServerConfiguration) {
    var both = (publicListener: publicListener, adminListener: adminListener)
    both.publicListener.listener = .descriptor(HostDescriptors.publicListener)
    both.adminListener.listener = .descriptor(HostDescriptors.adminListener)
    return both
  }
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
        window: .seconds(values.inlineWindowSeconds)),
      answerCharacters: values.answerCharacters, targetBytes: values.maxHeadBytes,
      jobs: Jobs.Limits(
        after: .milliseconds(values.jobAfterMilliseconds), count: values.maxJobs, bytes: values.jobsBytes,
        sharePercent: values.jobsPerKeyPercent, kept: .seconds(values.jobKeptSeconds),
        pollSeconds: values.pollAfterSeconds, wait: .milliseconds(values.jobWaitMilliseconds)))
  }

  var automations: AutomationLimits.Table {
    let usual = AutomationLimits(
      calls: values.automationCalls, cpuMilliseconds: values.automationCPUMilliseconds,
      storeMilliseconds: values.automationStoreMilliseconds)
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
      kept: values.keptGenerations, draining: values.maxDraining, isolation: values.isolation,
      isolations: automations.own.compactMapValues(\.isolation), together: values.maxTogether,
      canaries: values.maxCanaries,
      canaryLook: .milliseconds(values.canaryLookMilliseconds),
      lint: .init(mode: LintMode(rawValue: values.lint) ?? .warn, tokens: values.lintTokens))
  }

  var runnerRecordsThreads: Int { values.runnerRecordsThreads }

  var runners: RunnerSettings {
    var runners = RunnerSettings()
    runners.memoryBytes = values.runnerMemoryBytes
    runners.threads = values.runnerThreads
    runners.workers = values.runnerWorkers
    runners.openFiles = values.runnerOpenFiles
    runners.needsLandlock = values.runnerNeedsLandlock
    runners.calls = values.runnerCalls
    runners.arenaBytes = values.runnerArenaBytes
    runners.spin = .microseconds(values.runnerSpinMicroseconds)
    runners.streams = streams
    runners.overrun = .milliseconds(values.runnerOverrunMilliseconds)
    runners.cpuWindow = .milliseconds(values.runnerCPUWindowMilliseconds)
    runners.cpuPerWindow = .milliseconds(values.runnerCPUMilliseconds)
    runners.crashes = values.runnerCrashes
    runners.crashWindow = .milliseconds(values.runnerCrashWindowMilliseconds)
    runners.rest = .milliseconds(values.runnerRestMilliseconds)
    runners.patience = .milliseconds(values.callTimeoutMilliseconds)
    return runners
  }

  var recording: RecordTraffic.Limits {
    .init(
      seconds: values.recordingSeconds, exchanges: values.recordingExchanges,
      fileBytes: values.recordingFileBytes, queueBytes: values.recordingQueueBytes,
      partBytes: values.recordingPartBytes,
      redact: values.recordingRedact.split(separator: " ").map(String.init),
      look: .milliseconds(values.recordingFlushMilliseconds))
  }

  var replayTime: Duration { .milliseconds(values.replayMilliseconds) }

  var routes: StartGeneration.Defaults {
    .init(
      deadline: .milliseconds(values.deadlineMilliseconds), maxBodyBytes: values.maxBodyBytes,
      checksAnswers: values.checksAnswers)
  }

  var streams: AnswerStreams.Limits {
    .init(
      streams: values.maxStreams, bufferBytes: values.streamBufferBytes,
      longest: .milliseconds(values.streamLongestMilliseconds),
      idle: .milliseconds(values.streamIdleMilliseconds),
      heartbeat: .milliseconds(values.streamHeartbeatMilliseconds),
      drain: .milliseconds(values.streamDrainMilliseconds))
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
    configuration.streams = streams
    configuration.drainIdle = .milliseconds(values.drainIdleMilliseconds)
    configuration.maxLingering = values.maxLingering
    configuration.lingerTime = .milliseconds(values.lingerMilliseconds)
    return configuration
  }
}

package import Domain

/// Everything a host can be set to, as plain numbers with their unit in the name. ``Setting/all`` says what each
/// means, between which bounds it lies, and how a file names it; README.md beside this, what is fixed, and why.
package struct HostConfiguration: Sendable, Equatable {
  package struct Listener: Sendable, Equatable {
    package var address = "127.0.0.1"
    package var port: Int
    /// PEM files; both or none.
    package var tlsCertificate = ""
    package var tlsKey = ""
  }

  package var publicListener = Listener(port: 8080)
  package var adminListener = Listener(port: 8081)
  package var metricsNeedKey = false
  package var adminHostNames = ""
  package var adminThreads = 4
  package var adminQueue = 32
  package var adminJSONBytes = 1 << 20
  package var adminMaxPage = 1000
  package var adminDefaultPage = 100
  package var adminStopMilliseconds = 5000

  package var httpThreads = 0
  package var maxConnections = 10_240
  package var maxConnectionsPerAddress = 512
  package var maxHeadBytes = 8 * 1024
  package var maxHeaders = 100
  package var idleTimeoutMilliseconds = 75_000
  package var headTimeoutMilliseconds = 10_000
  package var bodyTimeoutMilliseconds = 30_000
  package var sendTimeoutMilliseconds = 30_000
  package var minimumBytesPerSecond = 64 * 1024
  package var backlog = 4096
  package var exchangeSlack = 1024
  package var drainIdleMilliseconds = 250
  package var maxLingering = 256
  package var lingerMilliseconds = 3000
  package var keptBytes = 256 * 1024
  package var jsonDepth = 64

  package var maxStreams = 1024
  package var streamBufferBytes = 64 * 1024
  package var streamLongestMilliseconds = 3_600_000
  package var streamIdleMilliseconds = 900_000
  package var streamHeartbeatMilliseconds = 15_000
  package var streamDrainMilliseconds = 5000

  package var limitRequests = 200
  package var limitPeriodSeconds = 60
  package var anonymousRequests = 200
  package var anonymousPeriodSeconds = 60
  package var maxKeys = 4_194_304
  package var keyUseSeconds = 60

  package var deadlineMilliseconds = 30_000
  package var maxBodyBytes = 1 << 20
  package var checksAnswers = true
  /// GPT Actions take fewer than 100,000.
  package var answerCharacters = 99_999
  package var jobAfterMilliseconds = 40_000
  package var maxJobs = 1024
  package var jobsBytes = 64 << 20
  package var jobsPerKeyPercent = 25
  package var jobWaitMilliseconds = 20_000
  package var jobKeptSeconds = 600
  package var pollAfterSeconds = 2
  package var workerThreads = 0
  package var workerQueue = 1024
  package var workerShare = 0
  package var workerSubstitutes = 64
  package var workerSubstituteShare = 0
  package var workerStackBytes = 2 << 20
  package var workerStopMilliseconds = 1000
  package var violations = 20
  package var deadlineCheckMilliseconds = 20
  package var maxCancels = 10_000
  package var inlineBlockedMilliseconds = 5
  package var inlineStrikes = 3
  package var inlineWindowSeconds = 60
  package var automationCalls = 2048
  package var automationCPUMilliseconds = 0
  package var automationStoreMilliseconds = 0
  package var automationAccounts = 1024
  package var automationOverrides = ""

  package var documents = Documents()

  package var pluginFileBytes = 64 << 20
  package var lint = "warn"
  package var lintTokens = 8000
  package var probeTimeoutMilliseconds = 5000
  package var callTimeoutMilliseconds = 10_000
  package var keptGenerations = 5
  package var maxDraining = 8
  package var changeWaitMilliseconds = 30_000
  package var drainWaitMilliseconds = 250
  package var drainTimeoutMilliseconds = 30_000
  package var drainGraceMilliseconds = 5000
  package var maxTogether = 32
  package var maxCanaries = 16
  package var canaryLookMilliseconds = 100
  package var recordingSeconds = 3600
  package var recordingExchanges = 100_000
  package var recordingFileBytes = 64 << 20
  package var recordingQueueBytes = 4 << 20
  package var recordingPartBytes = 256 << 10
  package var recordingFlushMilliseconds = 20
  package var keptRecordings = 16
  package var recordingRedact = "password secret token"
  package var replayMilliseconds = 100_000
  package var manifestBytes = 1 << 20
  package var imageBytes = 1 << 30
  package var probe = Probe()
  package var signatures = Signatures()

  package var isolation = Isolation.inProcess
  package var runnerMemoryBytes = 512 << 20
  package var runnerThreads = 256
  package var runnerWorkers = 8
  package var runnerOpenFiles = 64
  package var runnerCalls = 256
  package var runnerArenaBytes = 16 << 20
  package var runnerSpinMicroseconds = 50
  package var runnerOverrunMilliseconds = 2000
  package var runnerCPUWindowMilliseconds = 10_000
  package var runnerCPUMilliseconds = 0
  package var runnerCrashes = 5
  package var runnerCrashWindowMilliseconds = 60_000
  package var runnerRestMilliseconds = 5000
  package var runnerRecordsThreads = 8
  package var runnerNeedsLandlock = true

  package var auditRingBytes = 4 << 20
  package var auditFlushMilliseconds = 40
  package var auditSegmentBytes = 64 << 20
  package var auditKeptSegments = 0
  package var auditAdmitWaitMilliseconds = 2000
  package var auditActWaitMilliseconds = 5000
  package var auditRetryMilliseconds = 250
  package var auditMaxRead = 1000

  package var records = RecordLimits()
  package var mcp = MCP()
  package var sqlite = SQLite()
  package var schemas = Schemas()

  package var recordsKeyFile = ""

  package var confirmSeconds = 300
  package var confirmMaxUsed = 10_000
  package var idempotencySeconds = 86_400
  package var idempotencyCallsPerCaller = 10_000
  package var idempotencyAnswerBytes = 256 << 10
  package var idempotencyBytesPerCaller = 64 << 20
  package var idempotencyFileBytes = 1 << 30
  package var idempotencyAnonymous = AnonymousKeys.refuse.rawValue
  package var idempotencyQueue = 1024

  package var crashes = 2
  package var crashWindowMilliseconds = 60_000
  package var retainedGenerations = 500
  package var restartMaxMilliseconds = 30_000
  package var restartMinMilliseconds = 100
  package var earlyMilliseconds = 10_000
  package var bootTimeoutMilliseconds = 60_000
  package var freezeTimeoutMilliseconds = 10_000
  package var takeOverTimeoutMilliseconds = 10_000
  package var maxLeaving = 4
  package var livenessIntervalMilliseconds = 1000
  package var livenessTimeoutMilliseconds = 10_000
  package var livenessReportMilliseconds = 2000
  package var handOverIdleMilliseconds = 30_000

  package var logLevel = LogLevel.info
  package var logQueueBytes = 4 << 20
  package var logLineBytes = 16 << 10
  package var metrics = Metrics()
  package var healthCheckMilliseconds = 1000
  package var healthStoresPerRound = 16

  package init() {}

  /// What a host has that is told nothing: the one place of these numbers.
  package static let defaults = HostConfiguration()
}

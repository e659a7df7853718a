import Application
import Domain
import HTTPServer
import JSONSchema
import Kernel
import MCP
import OpenAPI
import PluginRuntime
import SQLiteStore
import Telemetry

// The limits of stores, schemas, probes and what the host tells about itself.

extension HostSettings {
  var validation: ValidateFile.Limits {
    .init(
      fileBytes: values.pluginFileBytes, imageBytes: UInt64(values.imageBytes),
      manifestBytes: values.manifestBytes)
  }

  var probe: ProbePlugin.Settings {
    .init(
      deadline: .milliseconds(values.probeTimeoutMilliseconds), manifestBytes: values.manifestBytes,
      addressSpaceBytes: values.probe.addressSpaceBytes, dataBytes: values.probe.dataBytes,
      fileBytes: values.probe.fileBytes, openFiles: values.probe.openFiles)
  }

  var loading: LoadPlugin.Limits {
    .init(patience: .milliseconds(values.callTimeoutMilliseconds), manifestBytes: values.manifestBytes)
  }

  var sqlite: SQLiteConfiguration {
    let sqlite = values.sqlite
    var all = SQLiteConfiguration()
    all.limits = values.records
    all.busyTimeout = .milliseconds(sqlite.busyTimeoutMilliseconds)
    all.timeLimit = .milliseconds(sqlite.timeLimitMilliseconds)
    all.migrationTimeLimit = .milliseconds(sqlite.migrationTimeLimitMilliseconds)
    all.maxReaders = sqlite.maxReaders
    all.maxStatements = sqlite.maxStatements
    all.maxQueuedWrites = sqlite.maxQueuedWrites
    all.maxQueueWait = .milliseconds(sqlite.maxQueueWaitMilliseconds)
    all.maxGroup = sqlite.maxGroup
    all.sweepInterval = .milliseconds(sqlite.sweepIntervalMilliseconds)
    all.sweepBatch = sqlite.sweepBatch
    all.mmapBytes = Int64(sqlite.mmapBytes)
    all.cacheKiB = sqlite.cacheKiB
    all.maxFileBytes = Int64(sqlite.maxFileBytes)
    all.maxValueBytes = sqlite.maxValueBytes
    all.checkpointPages = sqlite.checkpointPages
    all.restartPages = sqlite.restartPages
    all.maxHistory = sqlite.maxHistory
    all.jsonDepth = values.jsonDepth
    return all
  }

  var idempotency: SQLiteIdempotencyLedger.Limits {
    var limits = SQLiteIdempotencyLedger.Limits()
    limits.expiry = .seconds(values.idempotencySeconds)
    limits.callsPerCaller = values.idempotencyCallsPerCaller
    limits.answerBytes = values.idempotencyAnswerBytes
    limits.callerBytes = values.idempotencyBytesPerCaller
    limits.fileBytes = Int64(values.idempotencyFileBytes)
    limits.queue = values.idempotencyQueue
    return limits
  }

  var anonymousKeys: AnonymousKeys { AnonymousKeys(rawValue: values.idempotencyAnonymous) ?? .refuse }

  var confirmLifetime: Duration { .seconds(values.confirmSeconds) }

  var schemas: SchemaLimits {
    let schemas = values.schemas
    var all = SchemaLimits()
    all.schemaDepth = schemas.depth
    all.nodes = schemas.nodes
    all.constants = schemas.constants
    all.patterns = schemas.patterns
    all.patternBytes = schemas.patternBytes
    all.patternSteps = UInt32(schemas.patternSteps)
    all.patternKilobytes = UInt32(schemas.patternKiB)
    all.patternTime = .milliseconds(schemas.patternTimeMilliseconds)
    all.evaluationDepth = schemas.evaluationDepth
    all.stackBytes = schemas.stackBytes
    all.evaluations = schemas.evaluations
    all.reportedErrors = schemas.reportedErrors
    return all
  }

  var documents: Documents.Limits {
    var limits = Documents.Limits()
    limits.keptBytes = values.documents.keptBytes
    limits.waiting = values.documents.waiting
    limits.builds = values.documents.builds
    limits.copiedAtOnce = values.documents.copiedAtOnce
    return limits
  }

  var openAPI: OpenAPIPath.Facts {
    .init(
      release: Services.version, anonymous: AnonymousView(rawValue: values.documents.anonymous) ?? .all,
      serverURL: values.documents.serverURL, maxBytes: values.documents.maxBytes,
      patience: .milliseconds(values.documents.timeoutMilliseconds),
      jobAfter: .milliseconds(values.jobAfterMilliseconds))
  }

  var log: JSONLines.Limits {
    var limits = JSONLines.Limits()
    limits.queueBytes = values.logQueueBytes
    limits.lineBytes = values.logLineBytes
    return limits
  }

  var metrics: PrometheusMeter.Limits {
    var limits = PrometheusMeter.Limits()
    limits.series = values.metrics.series
    limits.cells = values.metrics.cells
    limits.gauges = values.metrics.gauges
    limits.reloads = values.metrics.reloads
    return limits
  }

  var keyUseInterval: Duration { .seconds(values.keyUseSeconds) }
  var healthCheckInterval: Duration { .milliseconds(values.healthCheckMilliseconds) }
  var healthStoresPerRound: Int { values.healthStoresPerRound }
  var deadlineCheckInterval: Duration { .milliseconds(values.deadlineCheckMilliseconds) }
  var maxCancels: Int { values.maxCancels }
  var adminStopTimeout: Duration { .milliseconds(values.adminStopMilliseconds) }
  var workerStopTimeout: Duration { .milliseconds(values.workerStopMilliseconds) }

  var mcp: MCPServer.Site {
    .init(
      values.mcp, version: Services.version, serverURL: values.documents.serverURL,
      hasTLS: publicListener.tls != nil,
      showsScopes: values.documents.anonymous == AnonymousView.all.rawValue,
      jsonDepth: values.jsonDepth, jobAfter: jobAfter)
  }
}

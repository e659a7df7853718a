// What belongs to one engine or one child process, each in the words that it uses itself.

extension HostConfiguration {
  /// What the trial of a plugin may take, in its own process.
  package struct Probe: Sendable, Equatable {
    package var addressSpaceBytes = 8 << 30
    package var dataBytes = 2 << 30
    package var fileBytes = 64 << 20
    package var openFiles = 256
  }

  /// Of each record file, unless it says otherwise.
  package struct SQLite: Sendable, Equatable {
    package var busyTimeoutMilliseconds = 5000
    package var timeLimitMilliseconds = 10_000
    package var migrationTimeLimitMilliseconds = 120_000
    package var maxReaders = 64
    package var maxStatements = 64
    package var maxQueuedWrites = 1024
    package var maxQueueWaitMilliseconds = 5000
    package var maxGroup = 256
    package var sweepIntervalMilliseconds = 5000
    package var sweepBatch = 500
    package var mmapBytes = 256 << 20
    package var cacheKiB = 1024
    package var maxFileBytes = 256 << 30
    package var maxValueBytes = 8 << 20
    package var checkpointPages = 1000
    package var restartPages = 16_000
    package var maxHistory = 256
  }

  /// Of one JSON Schema, and of one validation.
  package struct Schemas: Sendable, Equatable {
    package var depth = 64
    package var nodes = 20_000
    package var constants = 100_000
    package var patterns = 1000
    package var patternBytes = 4096
    package var patternSteps = 200_000
    package var patternKiB = 4096
    package var patternTimeMilliseconds = 100
    package var evaluationDepth = 256
    package var stackBytes = 384 * 1024
    package var evaluations = 200_000
    package var reportedErrors = 50
  }

  /// Whose plugins are taken. Lines as a file holds them; ``SignaturePolicy`` reads them.
  package struct Signatures: Sendable, Equatable {
    package var isRequired = false
    package var trustedKeys: [String] = []
    package var revokedKeys: [String] = []
    package var revokedFiles: [String] = []
  }

  package struct Metrics: Sendable, Equatable {
    package var series = 16_384
    package var cells = 32_768
    package var gauges = 256
    package var reloads = 4096
  }
}

package import Domain
package import Kernel

/// Bounds and sizes of the SQLite engine, per file unless it says otherwise.
package struct SQLiteConfiguration: Sendable {
  package var limits = RecordLimits()
  /// How long a statement waits for a lock that another process holds.
  package var busyTimeout = Duration.seconds(5)
  /// After this a running read or write is stopped: `records.timeout`.
  package var timeLimit = Duration.seconds(10)
  /// The same for the checks and steps of a migration.
  package var migrationTimeLimit = Duration.seconds(120)
  /// Threads with a read connection of their own; those beyond share one.
  package var maxReaders = 64
  /// Compiled statements that one connection keeps.
  package var maxStatements = 64
  /// Writes that may wait; one more is answered `records.overloaded`.
  package var maxQueuedWrites = 1024
  /// How long a write may wait for its turn; then `records.overloaded`, and it does not happen.
  package var maxQueueWait = Duration.seconds(5)
  /// Writes that share one commit.
  package var maxGroup = 256
  /// How often records that have ended are looked for, and how many are removed in one transaction.
  package var sweepInterval = Duration.seconds(5)
  package var sweepBatch = 500
  package var mmapBytes: Int64 = 256 << 20
  /// Page cache of one connection. Small: what is read comes from the memory map.
  package var cacheKiB = 1024
  /// The file grows no larger: `records.unavailable`, cause `disk_full`.
  package var maxFileBytes: Int64 = 256 << 30
  /// One value, and one record as JSON, is at most this long.
  package var maxValueBytes = 8 << 20
  /// Pages of the log after which they are moved into the file.
  package var checkpointPages = 1000
  /// Pages of the log after which readers are waited for, so that the log starts again.
  package var restartPages = 16_000
  /// Distinct declarations that a store remembers, to go back to.
  package var maxHistory = 256
  /// Levels of a record or query as JSON.
  package var jsonDepth = JSONDocument.defaultMaxDepth
  package var clock: @Sendable () -> Timestamp = { .now }

  package init() {}
}

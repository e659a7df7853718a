import Domain

// The settings of what is kept: the audit trail, records, and the schemas that guard them.

extension Setting {
  private static let milliseconds = 1...3_600_000

  /// `audit`, `records`, `sqlite`, `schemas`
  static let storage: [Setting] = [
    .init(
      "audit.ring_bytes", .number(65_536...(1 << 30), \.auditRingBytes),
      "Of each thread, a power of two; full is back-pressure."),
    .init(
      "audit.flush_interval_ms", .number(1...90, \.auditFlushMilliseconds),
      "The longest that a row waits to be written."),
    .init(
      "audit.segment_bytes", .number(1 << 16...(1 << 40), \.auditSegmentBytes), "Of one file of the trail."),
    .init("audit.kept_segments", .number(0...1_000_000, \.auditKeptSegments), "0 keeps all."),
    .init(
      "audit.admit_wait_ms", .number(0...10_000, \.auditAdmitWaitMilliseconds),
      "How long a request waits for room: then 503."),
    .init(
      "audit.act_wait_ms", .number(milliseconds, \.auditActWaitMilliseconds),
      "How long an act of administration waits for the disk: then 503."),
    .init(
      "audit.retry_interval_ms", .number(milliseconds, \.auditRetryMilliseconds),
      "After an error of the disk."),
    .init("audit.max_read", .number(1...100_000, \.auditMaxRead), "Rows of one read of the trail."),

    .init(
      "records.default_page", .number(1...10_000, \.records.defaultPage),
      "Items of a page when the query names no limit."),
    .init("records.max_page", .number(1...10_000, \.records.maxPage), "Items of a page."),
    .init(
      "records.max_filter_depth", .number(1...16, \.records.maxFilterDepth), "How deep and, or and not nest."),
    .init("records.max_clauses", .number(1...256, \.records.maxClauses), "Comparisons of one filter."),
    .init(
      "records.max_list_values", .number(1...10_000, \.records.maxListValues), "Values of one in or nin."),
    .init("records.max_order_fields", .number(1...16, \.records.maxOrderFields), "Fields of one order."),
    .init("records.max_search_bytes", .number(16...65_536, \.records.maxSearchBytes), "Of a search's text."),
    .init("records.max_search_words", .number(1...256, \.records.maxSearchWords), "Words of one search."),
    .init(
      "records.encryption_key_file", .text(maxLength: 4096, \.recordsKeyFile),
      "Keys for encrypted fields, one a line (openssl rand -hex 32), mode 600; the first writes, all read."),
    .init("records.max_cursor_bytes", .number(256...65_536, \.records.maxCursorBytes), "Of a cursor."),
    .init(
      "records.max_id_bytes", .number(36...1024, \.records.maxIDBytes), "Of an id; the host's own have 36."),
    .init(
      "records.max_document_bytes", .number(1024...(64 << 20), \.records.maxDocumentBytes),
      "Of one record, as it comes and as it is kept: more is 413."),
    .init(
      "records.max_query_bytes", .number(1024...(4 << 20), \.records.maxQueryBytes),
      "Of a query, and of the parameters of a named one."),
    .init(
      "records.max_batch_operations", .number(1...10_000, \.records.maxBatchOperations),
      "Writes of one batch."),
    .init(
      "records.max_batch_bytes", .number(1024...(256 << 20), \.records.maxBatchBytes),
      "Of one batch: more is 413."),
    .init("records.max_errors", .number(1...1000, \.records.maxErrors), "Faults that one answer lists."),
    .init(
      "records.max_collections", .number(1...100, \.records.maxCollections),
      "Of one automation; a manifest names at most 64."),
    .init(
      "records.max_fields", .number(1...200, \.records.maxFields),
      "Of one collection; a manifest names at most 128."),
    .init("records.max_indexes", .number(1...64, \.records.maxIndexes), "Of one collection."),
    .init("records.max_index_fields", .number(1...16, \.records.maxIndexFields), "Of one index."),
    .init("records.max_named_queries", .number(1...1000, \.records.maxNamedQueries), "Of one collection."),

    .init(
      "sqlite.busy_timeout_ms", .number(milliseconds, \.sqlite.busyTimeoutMilliseconds),
      "For a lock that another process holds."),
    .init(
      "sqlite.time_limit_ms", .number(milliseconds, \.sqlite.timeLimitMilliseconds),
      "For one read or write: then 504."),
    .init(
      "sqlite.migration_time_limit_ms", .number(milliseconds, \.sqlite.migrationTimeLimitMilliseconds),
      "For the checks and steps of a migration."),
    .init(
      "sqlite.max_readers", .number(1...256, \.sqlite.maxReaders),
      "Threads with a read connection of their own; those beyond share one."),
    .init(
      "sqlite.max_statements", .number(8...4096, \.sqlite.maxStatements),
      "Compiled statements that a connection keeps."),
    .init(
      "sqlite.max_queued_writes", .number(1...1_000_000, \.sqlite.maxQueuedWrites),
      "Writes that wait: more is 503."),
    .init(
      "sqlite.max_queue_wait_ms", .number(milliseconds, \.sqlite.maxQueueWaitMilliseconds),
      "How long a write waits for its turn: then 503."),
    .init(
      "sqlite.sweep_interval_ms", .number(10...3_600_000, \.sqlite.sweepIntervalMilliseconds),
      "Between two looks for records that have ended."),
    .init(
      "sqlite.sweep_batch", .number(1...100_000, \.sqlite.sweepBatch), "Of them, removed in one transaction."),
    .init("sqlite.max_group", .number(1...10_000, \.sqlite.maxGroup), "Writes that share a commit."),
    .init(
      "sqlite.mmap_bytes", .number(0...(1 << 40), \.sqlite.mmapBytes),
      "Of the file that a read connection maps."),
    .init(
      "sqlite.cache_kib", .number(64...(1 << 20), \.sqlite.cacheKiB),
      "Page cache of a read connection; the writer has four times that."),
    .init(
      "sqlite.max_file_bytes", .number((1 << 20)...(1 << 46), \.sqlite.maxFileBytes),
      "The file grows no larger: then 503."),
    .init(
      "sqlite.max_value_bytes", .number(65_536...1_000_000_000, \.sqlite.maxValueBytes),
      "Of one value, and of one record as JSON."),
    .init(
      "sqlite.checkpoint_pages", .number(10...10_000_000, \.sqlite.checkpointPages),
      "Of 4 KiB in the log, until they are moved into the file."),
    .init(
      "sqlite.restart_pages", .number(10...10_000_000, \.sqlite.restartPages),
      "Of 4 KiB in the log, until readers are waited for."),
    .init(
      "sqlite.max_history", .number(1...10_000, \.sqlite.maxHistory),
      "Declarations of collections that a file remembers, to go back to."),

    .init("schemas.max_depth", .number(4...64, \.schemas.depth), "Levels of nested schemas."),
    .init("schemas.max_nodes", .number(16...1_000_000, \.schemas.nodes), "Subschemas of one schema."),
    .init(
      "schemas.max_constants", .number(1...10_000_000, \.schemas.constants),
      "Values in all const and enum of one schema."),
    .init("schemas.max_patterns", .number(0...100_000, \.schemas.patterns), "Of one schema."),
    .init("schemas.max_pattern_bytes", .number(16...65_536, \.schemas.patternBytes), "Of one pattern."),
    .init(
      "schemas.pattern_steps", .number(1000...100_000_000, \.schemas.patternSteps),
      "Of one pattern from one place in a string."),
    .init("schemas.pattern_kib", .number(64...1_048_576, \.schemas.patternKiB), "Memory of one match."),
    .init(
      "schemas.pattern_time_ms", .number(1...60_000, \.schemas.patternTimeMilliseconds),
      "For all patterns of one validation."),
    .init(
      "schemas.evaluation_depth", .number(8...256, \.schemas.evaluationDepth),
      "Subschemas inside each other in one validation."),
    .init(
      "schemas.stack_bytes", .number(131_072...393_216, \.schemas.stackBytes),
      "That they may take; every thread that validates has the upper bound and more."),
    .init(
      "schemas.evaluations", .number(1000...1_000_000_000, \.schemas.evaluations),
      "Subschemas applied to one document, beside 64 for each of its values."),
    .init(
      "schemas.max_errors", .number(1...1000, \.schemas.reportedErrors),
      "Faults of a schema that its refusal lists."),
  ]
}

import Domain
import Kernel

// The settings of plugins, and of what the host tells about itself.

extension Setting {
  private static let milliseconds = 1...3_600_000

  /// `plugins`
  static let plugins: [Setting] = [
    .init("plugins.max_file_bytes", .number(4096...(1 << 30), \.pluginFileBytes), "Of a plugin's file."),
    .init(
      "plugins.lint", .choice(LintMode.allCases.map(\.rawValue), \.lint),
      "What is done about a manifest that misleads models: nothing, a warning, or, for errors, a refusal."),
    .init(
      "plugins.lint_tokens", .number(100...1_000_000, \.lintTokens),
      "What a list of an automation's operations may cost a model, in tokens (bytes / 4), without a warning."),
    .init(
      "plugins.probe_timeout_ms", .number(milliseconds, \.probeTimeoutMilliseconds),
      "For the trial in a child process."),
    .init(
      "plugins.call_timeout_ms", .number(milliseconds, \.callTimeoutMilliseconds),
      "For create, activate, quiesce, stop and destroy."),
    .init(
      "plugins.kept_generations", .number(2...1000, \.keptGenerations),
      "Files kept for each automation, to roll back to."),
    .init(
      "plugins.max_draining", .number(1...1000, \.maxDraining),
      "Generations of an automation that may drain at a time."),
    .init(
      "plugins.change_wait_ms", .number(milliseconds, \.changeWaitMilliseconds),
      "How long a change waits for its turn."),
    .init(
      "plugins.drain_wait_ms", .number(0...60_000, \.drainWaitMilliseconds),
      "How long a reload's answer waits for the drain."),
    .init(
      "plugins.drain_timeout_ms", .number(milliseconds, \.drainTimeoutMilliseconds),
      "Then requests are cancelled."),
    .init(
      "plugins.drain_grace_ms", .number(milliseconds, \.drainGraceMilliseconds),
      "Then the generation is left mapped."),
    .init(
      "plugins.max_together", .number(1...1000, \.maxTogether),
      "Automations that one call reloads, all or none."),
    .init("plugins.max_canaries", .number(1...256, \.maxCanaries), "Canaries that run at a time."),
    .init(
      "plugins.canary_check_ms", .number(10...60_000, \.canaryLookMilliseconds),
      "Between two looks at the figures of a canary."),
    .init(
      "plugins.replay_timeout_ms", .number(milliseconds, \.replayMilliseconds),
      "For the replay that a reload requires."),
    .init(
      "plugins.max_manifest_bytes", .number(4096...(1 << 20), \.manifestBytes),
      "Of a manifest; the contract allows 1 MiB."),
    .init(
      "plugins.max_image_bytes", .number((1 << 20)...(64 << 30), \.imageBytes),
      "Of memory that the segments of a file ask for."),
    .init(
      "plugins.probe_address_space_bytes", .number((1 << 30)...(1 << 40), \.probe.addressSpaceBytes),
      "That the trial may map."),
    .init(
      "plugins.probe_data_bytes", .number((64 << 20)...(1 << 40), \.probe.dataBytes),
      "That the trial may allocate."),
    .init(
      "plugins.probe_file_bytes", .number(0...(1 << 40), \.probe.fileBytes),
      "Of a file that the trial writes."),
    .init(
      "plugins.probe_open_files", .number(16...65_536, \.probe.openFiles),
      "That the trial has open at a time."),
  ]

  /// Whose plugins are taken.
  static let signatures: [Setting] = [
    .init(
      "plugins.require_signature", .flag(\.signatures.isRequired),
      "Whether a plugin without a signature of a trusted key is refused. Set it in production."),
    .init(
      "plugins.trusted_keys", .list(maxItems: 256, maxLength: 4096, \.signatures.trustedKeys),
      "Who may sign: NAME=KEY, or NAME=KEY until 2031-04-05; KEY is base64, PEM or the path of a PEM file."),
    .init(
      "plugins.revoked_keys", .list(maxItems: 4096, maxLength: 32, \.signatures.revokedKeys),
      "Ids of keys whose signatures count for nothing."),
    .init(
      "plugins.revoked_files", .list(maxItems: 4096, maxLength: 64, \.signatures.revokedFiles),
      "SHA-256 of files that are refused, signed or not."),
  ]

  /// What is wrong with the lines.
  static func signatureFaults(_ signatures: HostConfiguration.Signatures) -> [String] {
    var all: [String] = []
    var names: Set<String> = []
    for line in signatures.trustedKeys {
      do throws(SignaturePolicy.KeyLine.Fault) {
        let key = try SignaturePolicy.KeyLine(line)
        if !names.insert(key.name).inserted { all.append("plugins.trusted_keys has '\(key.name)' twice") }
      } catch { all.append("plugins.trusted_keys: \(error.reason)") }
    }
    for id in signatures.revokedKeys where !SigningKey.isID(id) {
      all.append("plugins.revoked_keys: '\(id)' is no key id, which has 32 hexadecimal digits")
    }
    for hash in signatures.revokedFiles where Digest256(hex: hash) == nil {
      all.append("plugins.revoked_files: '\(hash)' is no SHA-256, which has 64 hexadecimal digits")
    }
    if signatures.isRequired, signatures.trustedKeys.isEmpty {
      all.append("plugins.require_signature without plugins.trusted_keys refuses every plugin")
    }
    return all
  }

  /// `recordings`
  static let recordings: [Setting] = [
    .init(
      "recordings.max_seconds", .number(1...86_400, \.recordingSeconds), "Of a recording of traffic."),
    .init(
      "recordings.max_exchanges", .number(1...10_000_000, \.recordingExchanges),
      "Requests with their answers, of a recording."),
    .init("recordings.max_file_bytes", .number(65_536...(1 << 30), \.recordingFileBytes), "Of its file."),
    .init(
      "recordings.queue_bytes", .number(65_536...(1 << 30), \.recordingQueueBytes),
      "That wait to be written; further exchanges are counted and dropped."),
    .init(
      "recordings.max_body_bytes", .number(1024...(64 << 20), \.recordingPartBytes),
      "Of a body or an answer; an exchange with a longer one is not recorded."),
    .init(
      "recordings.flush_ms", .number(1...10_000, \.recordingFlushMilliseconds),
      "Between two writes of what was recorded."),
    .init("recordings.kept", .number(1...10_000, \.keptRecordings), "Files; the oldest are deleted."),
    .init(
      "recordings.redact", .text(maxLength: 4096, \.recordingRedact),
      "Names of members and parameters whose values are not kept, separated by spaces."),
  ]

  /// `log`, `metrics`, `health`
  static let telemetry: [Setting] = [
    .init("log.level", .level(\.logLevel), "The least level that is logged."),
    .init(
      "log.queue_bytes", .number(65_536...(1 << 30), \.logQueueBytes),
      "Lines that wait to be written; further ones are counted and dropped."),
    .init(
      "log.line_bytes", .number(512...(1 << 20), \.logLineBytes),
      "Of one line; what is longer is cut and says so."),
    .init(
      "metrics.max_series", .number(16...1_000_000, \.metrics.series),
      "Pairs of route and method; what is beyond is counted as _OTHER."),
    .init(
      "metrics.max_cells", .number(16...1_000_000, \.metrics.cells),
      "Series with a status, likewise; 128 bytes for each thread that counts it."),
    .init(
      "metrics.max_gauges", .number(32...10_000, \.metrics.gauges),
      "Figures that are read when somebody asks."),
    .init(
      "metrics.max_reloads", .number(1...1_000_000, \.metrics.reloads),
      "Pairs of automation and step of a reload."),
    .init(
      "health.check_interval_ms", .number(1000...600_000, \.healthCheckMilliseconds),
      "Between two looks at the stores, which /health/ready tells of, and without which no key opens anything."
    ),
    .init(
      "health.stores_per_round", .number(1...10_000, \.healthStoresPerRound),
      "Record stores of one such look; the next one goes on with the others."),
  ]
}

package import Domain
package import Kernel

/// One setting: its name in a file, `section.name`, what it means, and how it is read.
package struct Setting: Sendable {
  package enum Kind: Sendable {
    case number(ClosedRange<Int>, any WritableKeyPath<HostConfiguration, Int> & Sendable)
    case text(maxLength: Int, any WritableKeyPath<HostConfiguration, String> & Sendable)
    case flag(any WritableKeyPath<HostConfiguration, Bool> & Sendable)
    case isolation(any WritableKeyPath<HostConfiguration, Isolation> & Sendable)
    case level(any WritableKeyPath<HostConfiguration, LogLevel> & Sendable)
  }

  package let section: String
  package let name: String
  package let kind: Kind
  package let meaning: String

  package var path: String { "\(section).\(name)" }

  /// Puts a value of a file into the configuration; returns what is wrong with it, or nil.
  package func apply(_ value: JSONValue, to configuration: inout HostConfiguration) -> String? {
    switch (kind, value) {
    case (.number(let range, let place), .integer(let number)):
      guard range.contains(Int(number)) else {
        return "must be from \(range.lowerBound) to \(range.upperBound), not \(number)"
      }
      configuration[keyPath: place] = Int(number)
    case (.number(let range, _), _):
      return "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
    case (.text(let maxLength, let place), .string(let text)):
      guard text.utf8.count <= maxLength else { return "is longer than \(maxLength) bytes" }
      configuration[keyPath: place] = text
    case (.text, _): return "must be text"
    case (.flag(let place), .bool(let flag)): configuration[keyPath: place] = flag
    case (.flag, _): return "must be true or false"
    case (.isolation(let place), .string(let text)):
      guard let isolation = Isolation(text) else { return "must be \(Isolation.forms)" }
      configuration[keyPath: place] = isolation
    case (.isolation, _): return "must be \(Isolation.forms)"
    case (.level(let place), .string(let name)):
      guard let level = LogLevel(name: name) else {
        return "must be one of \(LogLevel.allCases.map(\.name).joined(separator: ", "))"
      }
      configuration[keyPath: place] = level
    case (.level, _): return "must be one of \(LogLevel.allCases.map(\.name).joined(separator: ", "))"
    }
    return nil
  }

  /// The value in a configuration, as JSON.
  package func value(in configuration: HostConfiguration) -> JSONValue {
    switch kind {
    case .number(_, let place): .integer(Int64(configuration[keyPath: place]))
    case .text(_, let place): .string(configuration[keyPath: place])
    case .flag(let place): .bool(configuration[keyPath: place])
    case .isolation(let place): .string(configuration[keyPath: place].text)
    case .level(let place): .string(configuration[keyPath: place].name)
    }
  }
}

extension Setting {
  private init(_ path: StaticString, _ kind: Kind, _ meaning: String) {
    let parts = path.description.split(separator: ".")
    section = String(parts[0])
    name = String(parts[1])
    self.kind = kind
    self.meaning = meaning
  }

  private static let milliseconds = 1...3_600_000
  private static let threads = 0...256

  /// Every setting, in the order of the file that `council config default` writes.
  package static let all: [Setting] = [
    .init(
      "public.address", .text(maxLength: 64, \.publicListener.address),
      "Where agents call: an IPv4 or IPv6 address."),
    .init(
      "public.port", .number(0...65_535, \.publicListener.port), "0 takes a free one; the log tells which."),
    .init(
      "public.tls_certificate", .text(maxLength: 4096, \.publicListener.tlsCertificate),
      "PEM file with the certificate chain; empty serves plain HTTP."),
    .init(
      "public.tls_key", .text(maxLength: 4096, \.publicListener.tlsKey), "PEM file with the private key."),
    .init(
      "admin.address", .text(maxLength: 64, \.adminListener.address),
      "Where admins call. Keep it on loopback."),
    .init("admin.port", .number(0...65_535, \.adminListener.port), "0 takes a free one."),
    .init(
      "admin.tls_certificate", .text(maxLength: 4096, \.adminListener.tlsCertificate),
      "As public.tls_certificate."),
    .init("admin.tls_key", .text(maxLength: 4096, \.adminListener.tlsKey), "As public.tls_key."),
    .init(
      "admin.host_names", .text(maxLength: 1024, \.adminHostNames),
      "Names beside localhost and loopback addresses that a Host header may have, separated by blanks."),
    .init("admin.metrics_need_key", .flag(\.metricsNeedKey), "Whether /metrics asks for a key."),

    .init(
      "http.threads", .number(threads, \.httpThreads),
      "Event threads of a listener; 0 takes one for each core."),
    .init(
      "http.max_connections", .number(16...1_000_000, \.maxConnections), "Open at a time; further ones wait."),
    .init(
      "http.max_connections_per_address", .number(0...1_000_000, \.maxConnectionsPerAddress),
      "0 for no limit. Loopback is exempt: behind a proxy every client has its address."),
    .init(
      "http.max_head_bytes", .number(1024...1_048_576, \.maxHeadBytes),
      "Request line and headers: more is 431."),
    .init("http.max_headers", .number(8...1000, \.maxHeaders), "More is 431."),
    .init("http.idle_timeout_ms", .number(milliseconds, \.idleTimeoutMilliseconds), "Without a request."),
    .init("http.head_timeout_ms", .number(milliseconds, \.headTimeoutMilliseconds), "For a whole head."),
    .init(
      "http.body_timeout_ms", .number(milliseconds, \.bodyTimeoutMilliseconds),
      "For a whole body, beside the time it takes at http.minimum_bytes_per_s."),
    .init(
      "http.send_timeout_ms", .number(milliseconds, \.sendTimeoutMilliseconds),
      "For a whole answer, likewise."),
    .init(
      "http.minimum_bytes_per_s", .number(1...1_000_000_000, \.minimumBytesPerSecond),
      "What a slow client must manage."),

    .init(
      "limits.requests", .number(1...1_000_000_000, \.limitRequests),
      "Of a key without a limit of its own, per period."),
    .init("limits.period_s", .number(1...86_400, \.limitPeriodSeconds), "The period of limits.requests."),
    .init(
      "limits.anonymous_requests", .number(1...1_000_000_000, \.anonymousRequests),
      "Of one address on public routes, per period."),
    .init("limits.anonymous_period_s", .number(1...86_400, \.anonymousPeriodSeconds), "The period of it."),
    .init("limits.max_keys", .number(1...100_000_000, \.maxKeys), "Keys that fit in memory, 144 bytes each."),

    .init(
      "routes.deadline_ms", .number(milliseconds, \.deadlineMilliseconds),
      "Of a route that names none: then 504."),
    .init(
      "routes.max_body_bytes", .number(0...(1 << 30), \.maxBodyBytes),
      "Of a route that names none: more is 413."),
    .init(
      "workers.threads", .number(threads, \.workerThreads),
      "For blocking handlers; 0 takes 4 for each core, at least 8."),
    .init(
      "workers.queue", .number(1...1_048_576, \.workerQueue), "Calls that wait for a worker: more is 503."),

    .init("plugins.max_file_bytes", .number(4096...(1 << 30), \.pluginFileBytes), "Of a plugin's file."),
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
      "isolation.default", .isolation(\.isolation),
      "Where a new automation runs whose load does not say: \(Isolation.forms)."),
    .init(
      "isolation.memory_bytes", .number(32 << 20...1 << 40, \.runnerMemoryBytes),
      "Of a runner process: more is refused to it, and one that stays at it is killed."),
    .init("isolation.max_threads", .number(32...4096, \.runnerThreads), "Of a runner: killed beyond."),
    .init(
      "isolation.workers", .number(1...256, \.runnerWorkers), "Threads of a runner for blocking handlers."),
    .init("isolation.open_files", .number(16...4096, \.runnerOpenFiles), "Of a runner."),
    .init(
      "isolation.calls", .number(1...1024, \.runnerCalls), "In a runner at a time: more is 503."),
    .init(
      "isolation.arena_bytes", .number(1 << 20...1 << 30, \.runnerArenaBytes),
      "For bodies above 8 KiB on their way to a runner, and as much back: also the largest body."),
    .init(
      "isolation.overrun_ms", .number(0...3_600_000, \.runnerOverrunMilliseconds),
      "A handler still inside so long after its deadline has its runner killed; 0 never."),
    .init(
      "isolation.cpu_window_ms", .number(1000...3_600_000, \.runnerCPUWindowMilliseconds),
      "The time over which isolation.cpu_ms counts."),
    .init(
      "isolation.cpu_ms", .number(0...3_600_000, \.runnerCPUMilliseconds),
      "Processor time of a runner per window: killed beyond; 0 for no limit."),
    .init(
      "isolation.crashes", .number(1...1_000_000, \.runnerCrashes),
      "Of a runner within the window, each with a restart at once; then it rests."),
    .init(
      "isolation.crash_window_ms", .number(1000...86_400_000, \.runnerCrashWindowMilliseconds), "That window."
    ),
    .init(
      "isolation.rest_ms", .number(100...3_600_000, \.runnerRestMilliseconds),
      "The first rest, in which the automation answers 503; the next is twice as long, up to 5 minutes."
    ),
    .init(
      "isolation.records_threads", .number(1...256, \.runnerRecordsThreads),
      "Of the host, for the records calls of all runners."),
    .init(
      "isolation.require_landlock", .flag(\.runnerNeedsLandlock),
      "Whether a kernel without Landlock, which hides files, is refused; otherwise it is logged as a warning."
    ),

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

    .init("log.level", .level(\.logLevel), LogLevel.allCases.map(\.name).joined(separator: ", ") + "."),
  ]

  /// What no single setting can know: settings that must fit together.
  package static func conflicts(in configuration: HostConfiguration) -> [String] {
    var all: [String] = []
    for (name, listener) in [
      ("public", configuration.publicListener), ("admin", configuration.adminListener),
    ]
    where listener.tlsCertificate.isEmpty != listener.tlsKey.isEmpty {
      all.append("\(name).tls_certificate and \(name).tls_key go together")
    }
    let ports = (configuration.publicListener, configuration.adminListener)
    if ports.0.port != 0, ports.0.port == ports.1.port, ports.0.address == ports.1.address {
      all.append("public and admin listen on the same address and port")
    }
    if configuration.auditRingBytes.nonzeroBitCount != 1 {
      all.append("audit.ring_bytes must be a power of two")
    }
    return all
  }

  /// A file with every default, which explains itself.
  package static var defaultFile: String {
    let defaults = HostConfiguration()
    var text = "# Council's settings, each with its default. Leave out what you do not change.\n"
    var section = ""
    for setting in all {
      if setting.section != section {
        section = setting.section
        text += "\n\(section):\n"
      }
      text += "  \(setting.name): \(JSON.text(setting.value(in: defaults)))  # \(setting.meaning)\n"
    }
    return text
  }
}

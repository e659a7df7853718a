// The settings of listeners, and of what a request meets.

extension Setting {
  private static let milliseconds = 1...3_600_000
  private static let threads = 0...256

  /// `public`, `admin`, `http`, `json`, `streams`
  static let listening: [Setting] = [
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
    .init("admin.threads", .number(2...64, \.adminThreads), "Work on admin requests; acts use all but one."),
    .init(
      "admin.queue", .number(1...10_000, \.adminQueue), "Requests that wait for such a thread: more is 503."),
    .init(
      "admin.max_json_bytes", .number(1024...(64 << 20), \.adminJSONBytes), "Of a JSON body: more is 413."),
    .init("admin.max_page", .number(1...10_000, \.adminMaxPage), "Items of one page."),
    .init(
      "admin.default_page", .number(1...10_000, \.adminDefaultPage),
      "Items of a page when the request names no limit."),
    .init(
      "admin.stop_timeout_ms", .number(milliseconds, \.adminStopMilliseconds),
      "For admin requests that are under way when the host ends."),

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
      "http.backlog", .number(16...65_535, \.backlog),
      "Connections that the kernel keeps until they are accepted."),
    .init(
      "http.max_abandoned", .number(1...1_000_000, \.exchangeSlack),
      "Requests whose handler works on when their connection is gone: more is 503."),
    .init(
      "http.drain_idle_ms", .number(milliseconds, \.drainIdleMilliseconds),
      "A connection that is quiet for so long is closed while the host ends."),
    .init(
      "http.max_lingering", .number(0...65_536, \.maxLingering),
      "Closing sockets whose last answer may still be read; more are closed at once."),
    .init(
      "http.linger_ms", .number(milliseconds, \.lingerMilliseconds),
      "How long such a socket lives; while the host ends, also a stream that has ended and whose client takes nothing."
    ),
    .init(
      "http.kept_bytes", .number(16_384...(64 << 20), \.keptBytes),
      "Memory that the four buffers of a connection keep from one request to the next; the README of Host/Application/Configuration has the worst case."
    ),
    .init("json.max_depth", .number(8...256, \.jsonDepth), "Levels of a JSON body or record: more is 400."),

    .init(
      "streams.max", .number(0...1_000_000, \.maxStreams),
      "Answers that are streams, open at a time: more is 503."),
    .init(
      "streams.buffer_bytes", .number(65_536...(16 << 20), \.streamBufferBytes),
      "What a stream holds for a client that is slow."),
    .init(
      "streams.longest_ms", .number(1...86_400_000, \.streamLongestMilliseconds),
      "From begin to end of a stream; then the host ends it."),
    .init(
      "streams.idle_ms", .number(1...86_400_000, \.streamIdleMilliseconds),
      "Of a stream into which nothing is written; then the host ends it."),
    .init(
      "streams.heartbeat_ms", .number(1...86_400_000, \.streamHeartbeatMilliseconds),
      "After so long without bytes, a stream of events gets a comment."),
    .init(
      "streams.drain_ms", .number(milliseconds, \.streamDrainMilliseconds),
      "How long streams go on when the host ends or hands over."),
  ]

  /// `limits`, `routes`, `answers`, `confirm`, `idempotency`, `workers`, `inline`, `automations`
  static let requests: [Setting] = [
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
      "limits.key_use_interval_s", .number(1...86_400, \.keyUseSeconds),
      "How often the last use of keys is written down."),

    .init(
      "routes.deadline_ms", .number(milliseconds, \.deadlineMilliseconds),
      "Of a route that names none: then 504."),
    .init(
      "routes.max_body_bytes", .number(0...(1 << 30), \.maxBodyBytes),
      "Of a route that names none: more is 413."),
    .init(
      "routes.check_answers", .flag(\.checksAnswers),
      "Whether an answer that is not what its route's response schema says is withheld: 500."),
    .init(
      "routes.violations", .number(1...1000, \.violations),
      "Faults of a body or parameter that one answer lists."),
    .init(
      "routes.deadline_check_ms", .number(1...1000, \.deadlineCheckMilliseconds),
      "How late the 504 of a deadline may be."),
    .init(
      "routes.max_cancels", .number(1...1_000_000, \.maxCancels),
      "Cancelled requests that wait until their plugin is told; of more it is not told."),
    .init(
      "answers.max_characters", .number(1000...1_000_000_000, \.answerCharacters),
      "Unicode scalars of an answer: a longer list is cut, anything else refused. GPT Actions take fewer than 100000."
    ),
    .init(
      "answers.job_after_ms", .number(milliseconds, \.jobAfterMilliseconds),
      "A call that lasts longer becomes a job to poll, on routes whose deadline is later."),
    .init(
      "answers.max_jobs", .number(0...100_000, \.maxJobs),
      "Jobs that run or whose answer is kept; further calls keep their client waiting."),
    .init(
      "answers.jobs_bytes", .number((1 << 20)...(1 << 34), \.jobsBytes),
      "Of kept answers: of more, the oldest go."),
    .init(
      "answers.jobs_per_key_percent", .number(1...100, \.jobsPerKeyPercent),
      "Of both, what one key may have, or one address without a key: further calls keep their client waiting."
    ),
    .init(
      "answers.job_wait_ms", .number(0...3_600_000, \.jobWaitMilliseconds),
      "How long a look at a job by name, or with Prefer: wait, waits for its answer."),
    .init(
      "answers.job_kept_s", .number(1...86_400, \.jobKeptSeconds), "How long the answer of a job is kept."),
    .init(
      "answers.poll_after_s", .number(1...3600, \.pollAfterSeconds),
      "What clients are told to wait before they look at a job again."),
    .init(
      "confirm.expiry_s", .number(10...86_400, \.confirmSeconds),
      "How long the token holds that confirms a call to a route with 'confirm'."),
    .init(
      "confirm.max_used", .number(1...1_000_000, \.confirmMaxUsed),
      "Used tokens of routes with 'idempotency': 'none' that are remembered; beyond, those that expire next hold no longer."
    ),
    .init(
      "idempotency.expiry_s", .number(7200...2_592_000, \.idempotencySeconds),
      "How long a call with an Idempotency-Key is remembered."),
    .init(
      "idempotency.max_calls_per_caller", .number(1...10_000_000, \.idempotencyCallsPerCaller),
      "Of one principal: one more is 503 until the oldest expires."),
    .init(
      "idempotency.max_answer_bytes", .number(1024...(4 << 20), \.idempotencyAnswerBytes),
      "Of one answer: a larger one is sent and not kept; the call repeated is 409."),
    .init(
      "idempotency.max_bytes_per_caller",
      .number((1 << 20)...(1 << 40), \.idempotencyBytesPerCaller),
      "Of all kept answers of one principal: a further one is sent and not kept; the call repeated is 409."),
    .init(
      "idempotency.anonymous",
      .choice(AnonymousKeys.allCases.map(\.rawValue), \.idempotencyAnonymous),
      "Idempotency keys of callers without an API key: refused (400), or of the address, which takes all who come through one proxy for one caller."
    ),
    .init(
      "idempotency.max_file_bytes", .number((4 << 20)...(1 << 40), \.idempotencyFileBytes),
      "Of all calls remembered: more is 503 until some expire."),
    .init(
      "idempotency.queue", .number(1...1_000_000, \.idempotencyQueue),
      "Calls with a key that wait to be looked up: more is 503."),
    .init(
      "workers.threads", .number(threads, \.workerThreads),
      "For blocking handlers; 0 takes 4 for each core, at least 8."),
    .init(
      "workers.queue", .number(1...1_048_576, \.workerQueue),
      "Calls of one automation that wait for a worker: more is 503."),
    .init(
      "workers.share", .number(threads, \.workerShare),
      "Workers that one automation has at a time; 0 for three quarters of them."),
    .init(
      "workers.substitutes", .number(0...512, \.workerSubstitutes),
      "Threads in the place of those that do not come back from a plugin."),
    .init(
      "workers.substitute_share", .number(0...512, \.workerSubstituteShare),
      "Of them, in the place of one automation's; 0 for half."),
    .init("workers.stack_bytes", .number((1 << 20)...(64 << 20), \.workerStackBytes), "Of each worker."),
    .init(
      "workers.stop_timeout_ms", .number(milliseconds, \.workerStopMilliseconds),
      "For workers when the host ends."),
    .init(
      "inline.blocked_after_ms", .number(1...60_000, \.inlineBlockedMilliseconds),
      "An inline handler that takes longer blocks its event thread: it is logged and counted."),
    .init(
      "inline.strikes", .number(0...1000, \.inlineStrikes),
      "So many within inline.window_s move the route to the workers; 0 for never."),
    .init("inline.window_s", .number(1...86_400, \.inlineWindowSeconds), "For inline.strikes."),
    .init(
      "automations.max_calls", .number(1...1_000_000, \.automationCalls),
      "Calls of one automation that wait for an answer at a time: more is 503."),
    .init(
      "automations.cpu_ms_per_minute", .number(0...100_000_000, \.automationCPUMilliseconds),
      "CPU time of one automation in any minute: beyond, its calls get 503; 0 for no budget."),
    .init(
      "automations.store_ms_per_minute", .number(0...100_000_000, \.automationStoreMilliseconds),
      "Time of one automation in its record store in any minute: beyond, its calls get 503; 0 for no budget."),
    .init(
      "automations.overrides", .text(maxLength: 65_536, \.automationOverrides),
      "Limits of single automations, like \"accounts max_calls=64 max_workers=2; hello max_queue=8 cpu_ms_per_minute=500 isolation=process\"."
    ),
    .init(
      "automations.max_accounts", .number(1...AutomationLimits.Table.maxAccounts, \.automationAccounts),
      "Automations that are told apart in what they use and may use; those beyond share one account."),
  ]
}

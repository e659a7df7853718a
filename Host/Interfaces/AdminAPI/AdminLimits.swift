import Kernel

extension AdminApplication {
  package struct Limits: Sendable {
    /// Threads that work on requests; acts use all but one of them, so that a list answers while plugins load.
    package var controlThreads: Int
    /// Acts that wait for such a thread, and reads; a further one gets 503 `admin.busy`.
    package var queuedJobs: Int
    package var maxJSONBytes: Int
    /// Levels of a JSON body.
    package var jsonDepth: Int
    /// Of an uploaded plugin; the folder of plugins has a limit too, and the smaller one holds.
    package var maxUploadBytes: Int
    /// Items of one page, and how many a request without `limit` gets.
    package var maxPage: Int
    package var defaultPage: Int
    /// Names besides `localhost` and loopback addresses that a request's Host may have, lower case, no port.
    package var hostNames: [String]
    /// Metrics need no key by default: the listener is on loopback, and they name automations and routes but
    /// no caller. Set this when it listens elsewhere; then `admin:read` is needed.
    package var metricsNeedKey: Bool

    package init(
      controlThreads: Int = 4, queuedJobs: Int = 32, maxJSONBytes: Int = 1 << 20,
      jsonDepth: Int = JSONDocument.defaultMaxDepth,
      maxUploadBytes: Int = 64 << 20, maxPage: Int = 1000, defaultPage: Int = 100, hostNames: [String] = [],
      metricsNeedKey: Bool = false
    ) {
      precondition((2...64).contains(controlThreads) && queuedJobs > 0 && maxPage > 0)
      self.controlThreads = controlThreads
      self.queuedJobs = queuedJobs
      self.maxJSONBytes = maxJSONBytes
      self.jsonDepth = jsonDepth
      self.maxUploadBytes = maxUploadBytes
      self.maxPage = maxPage
      self.defaultPage = min(defaultPage, maxPage)
      self.hostNames = hostNames
      self.metricsNeedKey = metricsNeedKey
    }
  }
}

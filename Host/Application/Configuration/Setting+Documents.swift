// The settings of what the host tells about its routes.

extension HostConfiguration {
  package struct Documents: Sendable, Equatable {
    package var anonymous = "all"
    package var serverURL = ""
    package var assets = ""
    package var maxBytes = 64 << 20
    package var keptBytes = 64 << 20
    package var waiting = 256
    package var builds = 8
    package var copiedAtOnce = 256 << 10
    package var timeoutMilliseconds = 30_000

    package init() {}
  }
}

extension Setting {
  /// `documents`
  static let documents: [Setting] = [
    .init(
      "documents.anonymous", .choice(AnonymousView.allCases.map(\.rawValue), \.documents.anonymous),
      "What documents list for callers without a key: every route, those that need no key, or nothing (401)."),
    .init(
      "documents.server_url", .text(maxLength: 2048, \.documents.serverURL),
      "Where agents reach the public listener, as documents say it; empty: relative, which GPT Actions do not take."
    ),
    .init(
      "documents.assets", .text(maxLength: 4096, \.documents.assets),
      "Folder with swagger-ui.css and swagger-ui-bundle.js for the pages; empty: pages are plain lists."),
    .init(
      "documents.max_bytes", .number((1 << 16)...(1 << 30), \.documents.maxBytes),
      "A longer document is refused: 422."),
    .init(
      "documents.kept_bytes", .number(0...(1 << 32), \.documents.keptBytes),
      "Documents that are kept until the routes change; those used longest ago go first."),
    .init(
      "documents.waiting", .number(1...65_536, \.documents.waiting),
      "Requests that wait until documents are built: more is 503."),
    .init(
      "documents.builds", .number(1...65_536, \.documents.builds),
      "Documents that callers with the same rights wait for at a time: more is 503."),
    .init(
      "documents.timeout_ms", .number(1...3_600_000, \.documents.timeoutMilliseconds),
      "How long a request waits for its document: then 504."),
    .init(
      "documents.copied_at_once", .number(0...(64 << 20), \.documents.copiedAtOnce),
      "Bytes of a document that an event thread copies; of a longer one another thread does."),
  ]
}

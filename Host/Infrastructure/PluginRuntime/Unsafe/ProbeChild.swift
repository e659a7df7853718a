import Application
import CPlugins
import Domain
import Glibc
import Kernel

/// The process in which a plugin is tried: maps it, reads its manifest, creates, stops and destroys one instance,
/// and looks at what that did to the process.
struct ProbeChild {
  private let order: ProbeWire.Order
  private let report: SharedReport
  private let process = getpid()
  private let signalsBefore: cplugins_signals
  private let threadsBefore: Int32
  private let sentinels: [Sentinel]

  init(_ order: ProbeWire.Order, _ report: SharedReport) {
    self.order = order
    self.report = report
    signalsBefore = ProbeChild.signals()
    threadsBefore = cplugins_thread_count()
    sentinels = Sentinel.place()
  }

  func run() -> Never {
    limit()
    let outcome: ProbeWire.Outcome
    do throws(Problem) { outcome = .passed(manifest: try tryPlugin()) } catch { outcome = .refused(error) }
    report.write(outcome.encoded())
    // Not `exit`: the plugin's destructors and exit handlers do not run in the host either.
    _exit(0)
  }

  private func tryPlugin() throws(Problem) -> [UInt8] {
    enter(.mapping)
    let file = try PluginImage.map(order.path, .probe)
    try look(after: "its constructors")
    if cplugins_thread_count() > threadsBefore {
      throw refusal(
        .probe, "probe.threads", "The plugin's constructors start threads: start them in create or activate.")
    }
    enter(.entry)
    let image = try PluginImage(file, .probe)
    enter(.manifest)
    let bytes = try image.manifest(maxBytes: order.manifestBytes, sealed: order.sealed, .probe)
    let manifest = try Manifest.parse(bytes)
    let missing = manifest.requires.filter { !HostExtensions.ids.contains($0) }
    guard missing.isEmpty else {
      throw refusal(
        .probe, "abi.extension_missing",
        "This host does not have \(missing.joined(separator: ", ")); it has \(HostExtensions.ids.joined(separator: ", ")).",
        ["missing": .array(missing.map { .string($0) })])
    }
    try live(image, manifest)
    return bytes
  }

  private func live(_ image: PluginImage, _ manifest: Manifest) throws(Problem) {
    let host = HostContext(
      PluginServices(
        automation: manifest.id, generation: 0, records: ProbeRecords(manifest), log: ProbeLog()),
      isProbe: true)
    enter(.create)
    var instance = Instance()
    let created = image.create(host, order.config, into: &instance)
    guard created == Status.ok else {
      let reason = host.heard()
      throw refusal(
        .probe, "probe.create_refused",
        "create returned \(Status.name(created)): \(reason ?? "it gave no reason").",
        ["status": .integer(Int64(created)), "reason": reason.map { .string($0) } ?? .null])
    }
    try look(after: "create")
    enter(.stop)
    let stopped = image.stop(instance)
    guard stopped == Status.ok else {
      throw refusal(
        .probe, "probe.stop_failed", "stop returned \(Status.name(stopped)).",
        ["status": .integer(Int64(stopped))])
    }
    host.end()
    enter(.destroy)
    image.destroy(instance)
    try look(after: "destroy")
    try waitForThreads()
  }

  /// A copy that the plugin forked goes no further: it would run this in parallel.
  private func enter(_ phase: ProbePhase) {
    if getpid() != process { _exit(0) }
    report.phase = phase
  }

  /// What the plugin did to the process, and would do to the host.
  private func look(after what: String) throws(Problem) {
    if getpid() != process { _exit(0) }
    let now = ProbeChild.signals()
    // Safe: both structs live across the call.
    let changed = unsafe withUnsafePointer(to: signalsBefore) { before in
      unsafe withUnsafePointer(to: now) { unsafe cplugins_signals_differ(before, $0) }
    }
    if changed != 0 {
      // Safe: the text is static or this thread's own.
      let name = unsafe String(cString: cplugins_signal_name(changed))
      throw refusal(
        .probe, "probe.signal_handler",
        "The plugin changed what \(name) does, by the end of \(what): signals are the host's.",
        ["signal": .string(name)])
    }
    if cplugins_reap(-1, false, nil, nil) >= 0 { throw ProbeChild.forked }
    if !sentinels.allSatisfy(\.isUntouched) {
      throw refusal(
        .probe, "probe.descriptors",
        "The plugin closed or wrote descriptors that are not its own, by the end of \(what).")
    }
  }

  static let forked = refusal(
    .probe, "probe.forked", "The plugin started a process and left it behind; it was killed.")

  /// A thread that was told to end may need a moment; one that stays is refused.
  private func waitForThreads() throws(Problem) {
    let limit = Instant.now + .milliseconds(250)
    while cplugins_thread_count() > threadsBefore {
      guard Instant.now < limit else {
        throw refusal(
          .probe, "probe.threads_left", "Threads of the plugin still run after stop and destroy.",
          ["threads": .integer(Int64(cplugins_thread_count() - threadsBefore))])
      }
      usleep(1000)
    }
  }

  private func limit() {
    var limits = cplugins_limits()
    limits.cpu_seconds = UInt64(order.limits.cpuSeconds)
    limits.address_space_bytes = UInt64(order.limits.addressSpaceBytes)
    limits.data_bytes = UInt64(order.limits.dataBytes)
    limits.file_bytes = UInt64(order.limits.fileBytes)
    limits.open_files = UInt64(order.limits.openFiles)
    // Safe: one struct, read during the call.
    unsafe cplugins_limit(&limits)
  }

  private static func signals() -> cplugins_signals {
    var now = cplugins_signals()
    // Safe: the call fills the struct.
    unsafe cplugins_signals_read(&now)
    return now
  }
}

/// The collections of a manifest, by name. Nothing can be read or written.
private final class ProbeRecords: RecordStore {
  private let names: [String]

  init?(_ manifest: Manifest) {
    guard !manifest.collections.isEmpty else { return nil }
    names = manifest.collections.map(\.name)
  }

  func collection(named name: String) -> Int? { names.firstIndex(of: name) }

  func call(
    _ operation: RecordOperation, collection: Int, key: Span<UInt8>, input: Span<UInt8>,
    expectedVersion: Int64, isDryRun: Bool
  ) throws(Problem) -> RecordResult {
    throw Problem(422, "records.unsupported", "Records cannot be used while a plugin is probed.")
  }

  var fault: String? { nil }
  func close() {}
}

/// Lines of a probed plugin go to standard error, of which the host keeps the end for its refusal.
private final class ProbeLog: LogSink {
  var level: LogLevel {
    get { .info }
    set {}
  }

  func write(_ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]) {
    ProbeMain.writeAll(2, Array("\(level.name): \(message)\n".utf8))
  }
}

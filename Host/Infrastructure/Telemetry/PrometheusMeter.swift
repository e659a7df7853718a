package import Application
import Kernel
import Synchronization

/// Counts requests in memory of each thread, and adds them up when somebody asks.
///
/// A *series* is an automation's route and method; a *cell* is a series with a status, and is what has a
/// histogram. Names and units are OpenTelemetry's, in the spelling its Prometheus rules give. Both series
/// and cells are bounded; what exceeds a bound is counted in one cell whose labels say `_OTHER`.
package final class PrometheusMeter: RequestMeter {
  package struct Limits: Sendable {
    package var series = 16_384
    package var cells = 32_768
    package var gauges = 256
    /// Pairs of automation and step of a reload.
    package var reloads = 4096

    package init() {}
  }

  private struct Names {
    var series: [(automation: String, route: String, method: String)] = []
    var numbers: [[String]: Int] = [:]
    /// The rendered labels of each cell.
    var cells: [[UInt8]] = []
    var gauges: [Gauge] = []
    var reloads: [ReloadStep: Histogram] = [:]
  }

  private struct Gauge {
    var name: String
    var help: String
    var read: @Sendable () -> [GaugeSample]
  }

  private struct ReloadStep: Hashable {
    var automation: String
    var step: String
  }

  private let limits: Limits
  private let names: Monitor<Names>
  private let statuses = StatusCodes()
  /// The cell of each series and status; 0 where none was made yet.
  private let cellNumbers: AtomicWords
  private let slabs: ThreadSlots<AtomicWords>

  package init(limits: Limits = Limits()) {
    precondition(limits.series > 0 && limits.cells > 1)
    self.limits = limits
    names = Monitor(Names())
    // The last row belongs to series beyond the bound, whose only cell is 0.
    cellNumbers = AtomicWords(count: (limits.series + 1) * StatusCodes.count)
    let words = limits.cells * DurationBuckets.words
    // Pages of it are taken as cells are first counted by the thread.
    slabs = ThreadSlots { _ in AtomicWords(count: words) }
    names.withLock { names in
      names.cells.append(PrometheusMeter.labels("_OTHER", "_OTHER", "_OTHER", "_OTHER"))
    }
  }

  package func series(automation: String, route: String, method: String) -> Int {
    names.withLock { names in
      let key = [automation, route, method]
      if let known = names.numbers[key] { return known }
      guard names.series.count < limits.series else { return limits.series }
      let number = names.series.count
      names.series.append((automation, route, method))
      names.numbers[key] = number
      return number
    }
  }

  package func record(series: Int, status: Int, nanoseconds: Int64) {
    let place = series * StatusCodes.count + statuses.index(of: status)
    var cell = Int(cellNumbers.loadAcquiring(place))
    if cell == 0 && series < limits.series { cell = makeCell(series, status, at: place) }
    let slab = slabs.current
    let first = cell * DurationBuckets.words
    slab.addAsOnlyWriter(1, at: first + DurationBuckets.index(nanoseconds))
    slab.addAsOnlyWriter(UInt64(max(0, nanoseconds)), at: first + DurationBuckets.sum)
  }

  /// The first request of a series with a status; 0 when there are no more cells.
  private func makeCell(_ series: Int, _ status: Int, at place: Int) -> Int {
    names.withLock { names in
      let known = Int(cellNumbers.load(place))
      guard known == 0 else { return known }
      guard names.cells.count < limits.cells, series < names.series.count else { return 0 }
      let cell = names.cells.count
      let (automation, route, method) = names.series[series]
      names.cells.append(
        PrometheusMeter.labels(automation, route, method, statuses.label(of: status)))
      cellNumbers.storeReleasing(UInt64(cell), at: place)
      return cell
    }
  }

  package func recordReload(automation: String, step: String, nanoseconds: Int64) {
    names.withLock { names in
      let wanted = ReloadStep(automation: automation, step: step)
      let fits = names.reloads[wanted] != nil || names.reloads.count < limits.reloads
      let kept = fits ? wanted : ReloadStep(automation: "_OTHER", step: "_OTHER")
      names.reloads[kept, default: Histogram()].record(nanoseconds)
    }
  }

  /// A name that is registered again replaces its reader. Beyond `limits.gauges`, nothing is added.
  package func gauge(_ name: String, help: String, _ read: @escaping @Sendable () -> [GaugeSample]) {
    names.withLock { names in
      let gauge = Gauge(name: name, help: help, read: read)
      if let known = names.gauges.firstIndex(where: { $0.name == name }) {
        names.gauges[known] = gauge
      } else if names.gauges.count < limits.gauges {
        names.gauges.append(gauge)
      }
    }
  }

  private static func labels(
    _ automation: String, _ route: String, _ method: String, _ status: String
  ) -> [UInt8] {
    exposedLabels([
      ("http_request_method", method), ("http_route", route), ("http_response_status_code", status),
      ("council_automation", automation),
    ])
  }
}

// MARK: - Exposition

extension PrometheusMeter {
  package func exposition() -> [UInt8] {
    let (cells, gauges, reloads) = names.withLock { ($0.cells, $0.gauges, $0.reloads) }
    let text = Arena(capacity: 16 << 10)
    exposeRequests(cells, to: text)
    exposeReloads(reloads, to: text)
    ProcessFacts.read()?.expose(to: text)
    // Readers run outside the lock: one may ask this meter for something.
    for gauge in gauges { expose(gauge, to: text) }
    return [UInt8](text.span(text.all))
  }

  private func exposeRequests(_ cells: [[UInt8]], to text: Arena) {
    var sums = [Histogram](repeating: Histogram(), count: cells.count)
    func add(_ slab: AtomicWords) {
      for cell in cells.indices { sums[cell].add(slab, at: cell * DurationBuckets.words) }
    }
    slabs.forEach(add)
    guard sums.contains(where: { !$0.isEmpty }) else { return }
    header("http_server_request_duration_seconds", "Duration of HTTP server requests.", "histogram", to: text)
    for cell in cells.indices where !sums[cell].isEmpty {
      sums[cell].expose("http_server_request_duration_seconds", cells[cell], to: text)
    }
  }

  private func exposeReloads(_ reloads: [ReloadStep: Histogram], to text: Arena) {
    guard !reloads.isEmpty else { return }
    header(
      "council_reload_duration_seconds", "Duration of each step of loading a generation.", "histogram",
      to: text)
    let inOrder = reloads.sorted { ($0.key.automation, $0.key.step) < ($1.key.automation, $1.key.step) }
    for (key, histogram) in inOrder {
      let labels = exposedLabels([("step", key.step), ("council_automation", key.automation)])
      histogram.expose("council_reload_duration_seconds", labels, to: text)
    }
  }

  private func expose(_ gauge: Gauge, to text: Arena) {
    let samples = gauge.read()
    guard !samples.isEmpty else { return }
    header(gauge.name, gauge.help, gauge.name.hasSuffix("_total") ? "counter" : "gauge", to: text)
    for sample in samples {
      text.append(gauge.name)
      if !sample.labels.isEmpty {
        text.append("{")
        text.append(exposedLabels(sample.labels))
        text.append("}")
      }
      text.append(" \(exposedNumber(sample.value))\n")
    }
  }
}

/// The two lines that come before a metric's samples.
func header(_ name: String, _ help: String, _ type: StaticString, to text: Arena) {
  text.append("# HELP \(name) ")
  for byte in help.utf8 {
    switch byte {
    case UInt8(ascii: "\\"): text.append("\\\\")
    case 0x0A: text.append("\\n")
    default: text.append(byte)
    }
  }
  text.append("\n# TYPE \(name) ")
  text.append(type)
  text.append("\n")
}

func exposedNumber(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
  if let whole = Int64(exactly: value) { return "\(whole)" }
  return "\(value)"
}

/// The status codes that have a label of their own (IANA's registry); any other is `_OTHER`.
struct StatusCodes {
  static let count = 64

  private let codes: [Int]
  private let indices: [UInt8]

  init() {
    let ranges: [ClosedRange<Int>] = [
      100...103, 200...208, 226...226, 300...308, 400...418, 421...426, 428...429, 431...431, 451...451,
      500...508, 510...511,
    ]
    codes = ranges.flatMap { Array($0) }
    precondition(codes.count < StatusCodes.count)
    var indices = [UInt8](repeating: 0, count: 600)
    for (index, code) in codes.enumerated() { indices[code] = UInt8(index + 1) }
    self.indices = indices
  }

  @inline(__always)
  func index(of status: Int) -> Int {
    status >= 0 && status < indices.count ? Int(indices[status]) : 0
  }

  func label(of status: Int) -> String { index(of: status) == 0 ? "_OTHER" : "\(status)" }
}

import Application
import Kernel
import Synchronization
import Telemetry
import Testing

@Suite struct PrometheusMeterTests {
  private let get =
    #"http_request_method="GET",http_route="/accounts/{id}",http_response_status_code="200","#
    + #"council_automation="accounts""#

  private func text(_ meter: PrometheusMeter) -> [String] {
    String(decoding: meter.exposition(), as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test func addsUpWhatAllThreadsCounted() {
    let meter = PrometheusMeter()
    let series = meter.series(automation: "accounts", route: "/accounts/{id}", method: "GET")
    let threads = (0..<4).map { _ in
      OSThread("counter") {
        for _ in 0..<1000 { meter.record(series: series, status: 200, nanoseconds: 1_000_000) }
      }
    }
    for thread in threads { thread.join() }
    let lines = text(meter)
    #expect(lines.contains("http_server_request_duration_seconds_count{\(get)} 4000"))
    #expect(lines.contains("http_server_request_duration_seconds_sum{\(get)} 4.0"))
    #expect(lines.contains("http_server_request_duration_seconds_bucket{\(get),le=\"+Inf\"} 4000"))
  }

  @Test func putsDurationsInTheBucketThatEndsAtThem() {
    let meter = PrometheusMeter()
    let series = meter.series(automation: "accounts", route: "/accounts/{id}", method: "GET")
    for nanoseconds: Int64 in [0, 5_000_000, 5_000_001, 10_000_000_000, 10_000_000_001, -1] {
      meter.record(series: series, status: 200, nanoseconds: nanoseconds)
    }
    let lines = text(meter)
    let name = "http_server_request_duration_seconds_bucket"
    for (bound, count) in [("0.005", 3), ("0.01", 4), ("7.5", 4), ("10.0", 5), ("+Inf", 6)] {
      #expect(lines.contains("\(name){\(get),le=\"\(bound)\"} \(count)"), "\(bound)")
    }
  }

  @Test func theSameLabelsAreTheSameSeries() {
    let meter = PrometheusMeter()
    let first = meter.series(automation: "a", route: "/", method: "GET")
    #expect(meter.series(automation: "a", route: "/", method: "GET") == first)
    #expect(meter.series(automation: "a", route: "/", method: "POST") != first)
  }

  @Test func eachStatusCountsForItselfAndForeignOnesTogether() {
    let meter = PrometheusMeter()
    let series = meter.series(automation: "a", route: "/", method: "GET")
    for status in [200, 404, 404, 599, 42, -1, 100_000] {
      meter.record(series: series, status: status, nanoseconds: 1)
    }
    let counts = text(meter).filter { $0.hasPrefix("http_server_request_duration_seconds_count") }
    for (status, count) in [("200", 1), ("404", 2), ("_OTHER", 4)] {
      #expect(counts.contains { $0.contains("code=\"\(status)\"") && $0.hasSuffix(" \(count)") })
    }
    #expect(counts.count == 3)
  }

  @Test func whatExceedsItsBoundsIsCountedAsOther() {
    var limits = PrometheusMeter.Limits()
    limits.series = 2
    limits.cells = 3
    let meter = PrometheusMeter(limits: limits)
    for number in 0..<4 {
      let series = meter.series(automation: "a\(number)", route: "/", method: "GET")
      for status in [200, 404] { meter.record(series: series, status: status, nanoseconds: 1) }
    }
    let counts = text(meter).filter { $0.hasPrefix("http_server_request_duration_seconds_count") }
    #expect(counts.count == 3)
    #expect(counts.contains { $0.contains("council_automation=\"_OTHER\"") && $0.hasSuffix(" 6") })
  }

  @Test func readsGaugesAtEachScrape() {
    let meter = PrometheusMeter()
    let value = Shared()
    meter.gauge("council_generations", help: "Generations\nby \\state.") {
      [GaugeSample([("state", "a\"b\\c\nd")], Double(value.now.load(ordering: .relaxed)))]
    }
    #expect(text(meter).contains(#"council_generations{state="a\"b\\c\nd"} 1"#))
    #expect(text(meter).contains(#"# HELP council_generations Generations\nby \\state."#))
    value.now.store(2, ordering: .relaxed)
    #expect(text(meter).contains(#"council_generations{state="a\"b\\c\nd"} 2"#))
    meter.gauge("council_generations", help: "Other.") { [GaugeSample([], 0.5), GaugeSample([], .infinity)] }
    let lines = text(meter).filter { $0.hasPrefix("council_generations") }
    #expect(lines == ["council_generations 0.5", "council_generations +Inf"])
  }

  private final class Shared: Sendable { let now = Atomic<Int>(1) }

  @Test func timesTheStepsOfAReload() {
    let meter = PrometheusMeter()
    meter.recordReload(automation: "accounts", step: "probe", nanoseconds: 12_000_000)
    meter.recordReload(automation: "accounts", step: "probe", nanoseconds: 30_000_000)
    let labels = #"{step="probe",council_automation="accounts"}"#
    #expect(text(meter).contains("council_reload_duration_seconds_count\(labels) 2"))
    #expect(text(meter).contains("council_reload_duration_seconds_sum\(labels) 0.042"))
  }

  @Test func tellsAboutTheProcess() throws {
    let lines = text(PrometheusMeter())
    for name in [
      "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
      "process_start_time_seconds", "process_threads", "process_virtual_memory_bytes",
    ] {
      let line = try #require(lines.first { $0.hasPrefix(name + " ") })
      let value = try #require(Double(line.dropFirst(name.count + 1).replacing("+Inf", with: "inf")))
      #expect(value >= 0 && (name == "process_cpu_seconds_total" || value > 0), "\(line)")
    }
  }

  @Test func promtoolFindsNothingToComplainAbout() throws {
    let meter = PrometheusMeter()
    let series = meter.series(automation: "accounts", route: "/accounts/{id}", method: "GET")
    meter.record(series: series, status: 200, nanoseconds: 1)
    meter.recordReload(automation: "accounts", step: "probe", nanoseconds: 12_000_000)
    meter.gauge("council_generations", help: "Loaded generations.") {
      [GaugeSample([("state", "active")], 1)]
    }
    let folder = TestFolder()
    writeFile(folder.file("metrics"), meter.exposition())
    guard let result = run("promtool", "check metrics", input: folder.file("metrics")) else {
      Issue.record("promtool is missing: install the Debian package prometheus")
      return
    }
    #expect(result.code == 0 && result.output == "", "\(result.output)")
  }
}

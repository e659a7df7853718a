import Application
import Kernel
import Patience
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  @Suite struct Probe {
    /// The host's own binary, beside the tests.
    static let executable = "\(System.executableFolder())/council"
    /// Sanitizers want address space without end, and would answer a crash themselves.
    static let environment =
      ProbePlugin.Settings.leastEnvironment + [
        "ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_abort=0:detect_leaks=0",
        "TSAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_abort=0",
      ]

    static func probe(
      deadline: Duration = .seconds(20), isolates: Bool = true, manifestBytes: Int = 1 << 20,
      dataBytes: Int = 0
    ) -> ProbePlugin {
      ProbePlugin(
        .init(
          executable: executable, deadline: deadline, manifestBytes: manifestBytes, addressSpaceBytes: 0,
          dataBytes: dataBytes, environment: environment, isolates: isolates))
    }

    private func refusal(
      _ fixture: String, _ flags: String = "", _ probe: ProbePlugin = Probe.probe(), config: String = "{}",
      sealed: String? = nil
    ) -> Problem? {
      problem {
        _ = try probe(
          Workshop.plugin(fixture, flags), config: Array(config.utf8), sealed: sealed.map { Array($0.utf8) })
      }
    }

    private func report(_ fixture: String, _ probe: ProbePlugin = Probe.probe()) throws -> ProbeReport {
      try probe(Workshop.plugin(fixture), config: Array("{}".utf8), sealed: nil)
    }

    // MARK: Good plugins

    @Test func readsTheManifestOfAGoodPlugin() throws {
      let report = try report("good")
      #expect(String(decoding: report.manifest, as: UTF8.self).contains("\"operation\":\"look\""))
      #expect(report.duration > .zero)
      let hello = Workshop.copy(of: Workshop.build(Workshop.hello))
      #expect(try Self.probe()(hello, config: Array("{}".utf8), sealed: nil).manifest.count > 100)
    }

    /// The thread sanitizer starts a thread of its own beside the first.
    @Test(.disabled(if: System.isThreadSanitized)) func passesThreadsThatEndWithTheInstance() throws {
      _ = try report("threads_joined")
    }

    @Test func passesWithoutANamespaceOfItsOwn() throws {
      _ = try report("good", Self.probe(isolates: false))
    }

    @Test func measuresAProbe() throws {
      let path = Workshop.plugin("good")
      func best(isolates: Bool) throws -> Int64 {
        var best = Duration.seconds(100)
        let probe = Self.probe(isolates: isolates)
        for _ in 0..<10 { best = min(best, try probe(path, config: Array("{}".utf8), sealed: nil).duration) }
        return best.nanoseconds / 1000
      }
      print(
        "a probe of a C plugin: \(try best(isolates: true)) µs at best, \(try best(isolates: false)) µs without a namespace"
      )
    }

    // MARK: Code that must not run in the host

    @Test func namesTheSignalThatKilledIt() {
      for fixture in ["constructor_crashes", "ifunc_crashes"] {
        let found = refusal(fixture)
        #expect(found?.code == "plugin.probe.crashed")
        #expect(found?.members["signal"] == "SIGSEGV")
        #expect(found?.members["phase"] == "mapping")
      }
      let manifest = refusal("manifest_bad_pointer")
      #expect(manifest?.code == "plugin.probe.crashed")
      #expect(manifest?.members["phase"] == "manifest")
      let create = refusal("create_crashes")
      #expect(create?.members["phase"] == "create")
      #expect(create?.members["output"]?.string?.contains("about to divide") == true)
    }

    /// The thread sanitizer changes the exit code of a copied process.
    @Test(.disabled(if: System.isThreadSanitized)) func namesTheExitCode() {
      let found = refusal("constructor_exits")
      #expect(found?.code == "plugin.probe.exited")
      #expect(found?.members["exit_code"] == 0)
      #expect(found?.members["step"] == "probe")
    }

    @Test(arguments: [true, false]) func endsAPluginThatHangs(_ isolates: Bool) {
      let impatient = Self.probe(deadline: .milliseconds(700), isolates: isolates)
      for fixture in ["constructor_hangs", "constructor_spins"] {
        let found = refusal(fixture, "", impatient)
        #expect(found?.code == "plugin.probe.timeout")
        #expect(found?.members["timeout_ms"] == 700)
        #expect(found?.members["phase"] == "mapping")
      }
      let create = refusal("create_hangs", "", impatient, config: "/nowhere")
      #expect(create?.code == "plugin.probe.timeout")
      #expect(create?.members["phase"] == "create")
    }

    @Test(arguments: [true, false]) func killsWhatAConstructorForked(_ isolates: Bool) {
      let probe = Self.probe(isolates: isolates)
      #expect(refusal("constructor_forks", "", probe)?.code == "plugin.probe.forked")
      #expect(refusal("constructor_daemonizes", "", probe)?.code == "plugin.probe.forked")
      #expect(refusal("constructor_fork_returns", "", probe)?.code == "plugin.probe.forked")
      #expect(!System.hasProcess(named: "reject-fork"))
      #expect(!System.hasProcess(named: "reject-daemon"))
    }

    @Test func refusesSignalHandlers() {
      let found = refusal("constructor_handles_signals")
      #expect(found?.code == "plugin.probe.signal_handler")
      #expect(found?.members["signal"] == "SIGTERM")
    }

    @Test func refusesThreadsThatStay() {
      #expect(refusal("constructor_starts_thread")?.code == "plugin.probe.threads")
      #expect(refusal("threads_left")?.code == "plugin.probe.threads_left")
    }

    @Test func isNotFooledByWhatAPluginWrites() throws {
      #expect(refusal("constructor_writes")?.code == "plugin.probe.descriptors")
      #expect(refusal("constructor_lies_and_exits")?.code == "plugin.probe.exited")
    }

    @Test func showsNothingOfTheHost() throws {
      Workshop.set("COUNCIL_REJECTS_SECRET", "hunter2")
      _ = try report("constructor_looks_around")
    }

    // MARK: Links

    @Test func namesAnUndefinedSymbol() {
      let found = refusal("undefined_symbol")
      #expect(found?.code == "plugin.link.undefined_symbol")
      #expect(found?.members["symbol"] == "council_is_defined_nowhere")
    }

    @Test func namesAWrongSymbolVersion() throws {
      let good = Dependency.plugin(linked: "1", present: "1")
      _ = try Self.probe()(good, config: Array("{}".utf8), sealed: nil)
      let bad = Dependency.plugin(linked: "2", present: "1")
      #expect(
        code { _ = try Self.probe()(bad, config: Array("{}".utf8), sealed: nil) }
          == "plugin.link.symbol_version")
    }

    // MARK: The ABI

    @Test func refusesEachBrokenTable() {
      #expect(refusal("no_entry")?.code == "plugin.abi.no_entry")
      #expect(refusal("null_table")?.code == "plugin.abi.null_table")
      let members = refusal("null_members")
      #expect(members?.code == "plugin.abi.null_member")
      #expect(members?.members["members"] == ["cancel", "destroy"])
      let major = refusal("other_major")
      #expect(major?.code == "plugin.abi.major")
      #expect(major?.members["plugin_abi_major"] == 7 && major?.members["host_abi_major"] == 1)
      let minor = refusal("newer_minor")
      #expect(minor?.code == "plugin.abi.min_host_minor")
      #expect(minor?.members["plugin_min_host_minor"] == 99 && minor?.members["host_abi_minor"] == 0)
      let missing = refusal("missing_extension")
      #expect(missing?.code == "plugin.abi.extension_missing")
      #expect(missing?.members["missing"] == ["council.teleport/1"])
    }

    @Test func refusesEachBrokenManifest() {
      #expect(refusal("manifest_not_json")?.code == "plugin.manifest.json")
      #expect(refusal("manifest_not_utf8")?.code == "plugin.manifest.not_utf8")
      #expect(refusal("manifest_no_bytes")?.code == "plugin.manifest.no_bytes")
      #expect(refusal("manifest_unstable")?.code == "plugin.manifest.unstable")
      let huge = refusal("manifest_large", "-DSIZE=104857600")
      #expect(huge?.code == "plugin.manifest.too_large")
      #expect(huge?.members["bytes"] == 104_857_600)
    }

    @Test func takesAManifestOfTheLimitAndNoLarger() {
      let probe = Self.probe(manifestBytes: 4096)
      #expect(refusal("manifest_large", "-DSIZE=4096", probe) == nil)
      #expect(refusal("manifest_large", "-DSIZE=4097", probe)?.code == "plugin.manifest.too_large")
    }

    @Test func refusesAManifestThatIsNotTheSealedOne() throws {
      let stated = String(decoding: try report("good").manifest, as: UTF8.self)
      #expect(refusal("good", sealed: stated) == nil)
      #expect(refusal("good", sealed: stated + " ")?.code == "plugin.manifest.not_as_sealed")
    }

    // MARK: The instance

    @Test func passesOnWhyCreateRefuses() {
      let found = refusal("create_refuses", config: "{\"why\":1}")
      #expect(found?.code == "plugin.probe.create_refused")
      #expect(found?.members["reason"] == "{\"why\":1}")
      #expect(found?.members["status"] == -1)
      #expect(refusal("create_refuses")?.members["reason"] == .null)
    }

    @Test func namesCollectionsAndRefusesToUseThem() {
      // collection: OK and number 0, DENIED; call: UNSUPPORTED with a problem of status 422.
      #expect(refusal("create_uses_records")?.members["reason"] == "0 0 -4 -5 422")
    }

    /// The address sanitizer's own allocator ends the process where the system's says no.
    @Test(.disabled(if: System.isSanitized)) func limitsMemory() {
      #expect(
        refusal("create_wants_memory", "", Self.probe(dataBytes: 4 << 30))?.members["reason"]
          == "out of memory")
    }

    @Test func saysWhenStopFails() {
      #expect(refusal("stop_fails")?.code == "plugin.probe.stop_failed")
    }

    // MARK: The probe itself

    @Test func saysWhenThereIsNoProbe() {
      for path in ["/nowhere/council", "/etc/passwd"] {
        let probe = ProbePlugin(.init(executable: path))
        #expect(refusal("good", "", probe)?.code == "plugin.probe.unavailable")
      }
      // A program that is no probe: it ends at once, and reports nothing.
      #expect(
        refusal("good", "", ProbePlugin(.init(executable: "/bin/true")))?.code == "plugin.probe.unavailable")
    }

    @Test func leavesNothingBehind() throws {
      let before = System.descriptors().count
      for _ in 0..<5 {
        _ = try report("good")
        for fixture in ["constructor_crashes", "constructor_exits", "constructor_forks", "undefined_symbol"] {
          #expect(refusal(fixture) != nil)
        }
        #expect(refusal("good", "", ProbePlugin(.init(executable: "/nowhere/council"))) != nil)
      }
      #expect(eventually { System.descriptors().count <= before })
    }

    @Test func carriesMessagesWholeOrNotAtAll() {
      let order = ProbeWire.Order(
        path: "/a b", config: [1, 2, 3], sealed: nil, deadlineMilliseconds: 5, manifestBytes: 6,
        limits: .init(cpuSeconds: 1, addressSpaceBytes: 2, dataBytes: 3, fileBytes: 4, openFiles: 5))
      let bytes = order.encoded()
      #expect(ProbeWire.Order(bytes) == order)
      for count in 0..<bytes.count { #expect(ProbeWire.Order(Array(bytes[..<count])) == nil) }
      #expect(ProbeWire.Order(bytes + [0]) == nil)
      let outcome = ProbeWire.Outcome.refused(Problem(422, "plugin.x", "why", members: ["a": [1, "b"]]))
      #expect(ProbeWire.Outcome(outcome.encoded()) == outcome)
      #expect(ProbeWire.Outcome([]) == nil)
    }
  }
}

import Application
import Domain
import Kernel
import Patience
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  @Suite struct Load {
    private func refusal(_ fixture: String, _ flags: String = "", sealed: String? = nil) -> Problem? {
      problem {
        _ = try Stage.loader().load(
          path: Workshop.plugin(fixture, flags), sealed: sealed.map { Array($0.utf8) })
      }
    }

    private func services(_ log: KeptLog) -> PluginServices {
      PluginServices(automation: "reject", generation: 7, records: OneRecord(), log: log)
    }

    @Test func livesInTheOrderOfTheContract() throws {
      let stage = try Stage("life")
      try stage.end()
      // After stop, records are stale (problem status 410), and log lines still come through.
      #expect(stage.log.messages == ["create 1", "activate", "quiesce", "stop", "destroy -2 -2 410"])
      #expect(
        stage.log.lines[0].fields["automation"] == "reject" && stage.log.lines[0].fields["generation"] == 7)
      #expect(stage.plugin.callsInside == 0)
    }

    @Test func refusesEachBrokenTableInTheHostToo() {
      #expect(refusal("no_entry")?.code == "plugin.abi.no_entry")
      #expect(refusal("null_table")?.code == "plugin.abi.null_table")
      #expect(refusal("null_members")?.members["members"] == ["cancel", "destroy"])
      #expect(refusal("other_major")?.code == "plugin.abi.major")
      #expect(refusal("newer_minor")?.code == "plugin.abi.min_host_minor")
      #expect(refusal("manifest_not_utf8")?.code == "plugin.manifest.not_utf8")
      #expect(refusal("manifest_no_bytes")?.code == "plugin.manifest.no_bytes")
      #expect(refusal("manifest_unstable")?.code == "plugin.manifest.unstable")
      #expect(refusal("manifest_large", "-DSIZE=104857600")?.code == "plugin.manifest.too_large")
      #expect(refusal("good", sealed: "{}")?.code == "plugin.manifest.not_as_sealed")
      #expect(refusal("good", sealed: "{}")?.members["step"] == "load")
    }

    @Test func refusesBrokenLinks() {
      #expect(refusal("undefined_symbol")?.code == "plugin.link.undefined_symbol")
      let path = Dependency.plugin(linked: "2", present: "1")
      #expect(code { _ = try Stage.loader().load(path: path) } == "plugin.link.symbol_version")
      #expect(
        code { _ = try Stage.loader().load(path: "\(Workshop.folder)/none.so") }
          == "plugin.link.missing_library")
      #expect(code { _ = try Stage.loader().load(path: "relative.so") } == "plugin.file.not_found")
    }

    @Test func takesNoEntryOfALibraryThatTheFileNeeds() {
      let library = Workshop.build("\(Workshop.rejects)/good.c", "-Wl,-soname,librejectsentry.so")
      let folder = Workshop.path("")
      Workshop.shell("mkdir '\(folder)'; cp '\(library)' '\(folder)/librejectsentry.so'")
      let plugin = Workshop.build(
        "\(Workshop.rejects)/no_entry.c", "-Wl,--no-as-needed \(library) -Wl,-rpath,'$ORIGIN'")
      Workshop.shell("cp '\(plugin)' '\(folder)/plugin.so'")
      #expect(code { _ = try Stage.loader().load(path: "\(folder)/plugin.so") } == "plugin.abi.no_entry")
    }

    @Test func givesAFileThatIsMappedAlreadyAFreshImage() throws {
      let path = Workshop.plugin("life")
      for _ in 0..<2 {
        let log = KeptLog()
        let plugin = try Stage.loader().load(path: path)
        try plugin.create(config: Array("{}".utf8), services: services(log))
        try plugin.activate()
        #expect(log.messages.first == "create 1")
        try plugin.stop()
        try plugin.destroy()
      }
      #expect(Workshop.shell("test $(ls '\(path)'* | wc -l) = 1") == 0)
    }

    @Test func saysWhyCreateAndActivateRefuse() throws {
      let loader = Stage.loader()
      let refuses = try loader.load(path: Workshop.plugin("create_refuses"))
      let found = problem { try refuses.create(config: Array("because".utf8), services: services(KeptLog())) }
      #expect(found?.code == "plugin.create_refused" && found?.members["reason"] == "because")
      // Nothing else is called after a create that failed.
      #expect(code { try refuses.stop() } == "plugin.wrong_state")

      let later = try loader.load(path: Workshop.plugin("activate_refuses"))
      try later.create(config: Array("{}".utf8), services: services(KeptLog()))
      let second = problem { try later.activate() }
      #expect(second?.code == "plugin.activate_refused" && second?.members["reason"] == "not today")
      #expect(second?.members["status"] == -3)
      try later.stop()
      try later.destroy()
    }

    @Test func keepsTheOrderOfCalls() throws {
      let plugin = try Stage.loader().load(path: Workshop.plugin("good"))
      #expect(code { try plugin.activate() } == "plugin.wrong_state")
      #expect(code { try plugin.destroy() } == "plugin.wrong_state")
      try plugin.create(config: Array("{}".utf8), services: services(KeptLog()))
      #expect(code { try plugin.quiesce() } == "plugin.wrong_state")
      try plugin.stop()
      #expect(code { try plugin.stop() } == "plugin.wrong_state")
      try plugin.destroy()
      #expect(code { try plugin.destroy() } == "plugin.wrong_state")
    }

    @Test func leavesAnInstanceThatHangsAlone() throws {
      let before = LoadPlugin.abandonedThreads
      let signal = Workshop.path(".signal")
      let log = KeptLog()
      let plugin = try Stage.loader(patience: .milliseconds(300)).load(path: Workshop.plugin("create_hangs"))
      let found = problem { try plugin.create(config: Array(signal.utf8), services: services(log)) }
      #expect(found?.code == "plugin.hung" && found?.status == 504)
      #expect(found?.members["call"] == "create" && found?.members["timeout_ms"] == 300)
      #expect(LoadPlugin.abandonedThreads == before + 1)
      for call in [plugin.activate, plugin.quiesce, plugin.stop, plugin.destroy] {
        #expect(code { try call() } == "plugin.poisoned")
      }
      let exchange = TestEdge.shared.open()
      let completion = plugin.handle(exchange, route: 0, execution: .inline)
      #expect(TestEdge.shared.settle(exchange, completion) && exchange.status == 503)
      #expect(Stage.body(of: exchange).contains("plugin.out_of_service"))
      TestEdge.shared.close(exchange)
      plugin.cancel(1)
      // Other plugins load as before.
      try Stage("good").end()
      // The call comes back after all: the host is unharmed, and takes the log line of a generation that is gone.
      Workshop.write([], to: signal)
      #expect(log.waitFor("create came back"))
      #expect(eventually { LoadPlugin.abandonedThreads == before })
    }

    @Test func destroysNothingThatMayStillRun() throws {
      let stage = try Stage("stop_fails")
      try stage.plugin.quiesce()
      #expect(code { try stage.plugin.stop() } == "plugin.stop_failed")
      #expect(code { try stage.plugin.destroy() } == "plugin.poisoned")
    }

    @Test func leavesNoDescriptorOpen() throws {
      let before = System.descriptors().count
      for _ in 0..<20 {
        try Stage("good").end()
        #expect(refusal("null_table") != nil)
        #expect(refusal("undefined_symbol") != nil)
      }
      #expect(eventually { System.descriptors().count <= before })
    }

    /// A sanitizer's shadow of each image is larger than the image.
    @Test(.disabled(if: System.isSanitized)) func growsLittleWithEachGeneration() throws {
      let source = Workshop.build(Workshop.hello)
      let loads = 1000
      func load() throws {
        let plugin = try Stage.loader().load(path: Workshop.copy(of: source))
        try plugin.create(config: Array("{}".utf8), services: services(KeptLog()))
        try plugin.activate()
        try plugin.quiesce()
        try plugin.stop()
        try plugin.destroy()
      }
      for _ in 0..<20 { try load() }
      let before = System.residentBytes()
      for _ in 0..<loads { try load() }
      let growth = System.residentBytes() - before
      print("\(loads) loads of a small C plugin: \(growth >> 10) KiB, \(growth / loads) bytes each")
      #expect(growth < loads * 100 << 10)
    }
  }
}

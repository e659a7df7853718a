import Kernel
import Patience
import Testing

/// Every plugin that must not come in, offered to a host that serves: a clear code, the old generation goes on, no
/// request fails meanwhile, nothing leaks.
@Suite(.serialized) struct BadPluginTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var code: String
    var path: @Sendable () -> String
    var quarantines = false

    init(
      _ name: String, _ code: String, quarantines: Bool = false,
      _ path: (@Sendable () -> String)? = nil
    ) {
      self.name = name
      self.code = code
      self.quarantines = quarantines
      self.path = path ?? { Fixtures.plugin(name) }
    }
    var testDescription: String { name }
  }

  private static func truncated(_ bytes: Int) -> String {
    let whole = Array(System.bytes(Fixtures.plugin("good")))
    return Fixtures.file(Array(whole.prefix(bytes)), "truncated.so")
  }

  private static func changed(_ place: Int, _ value: UInt8) -> String {
    var bytes = System.bytes(Fixtures.plugin("good"))
    bytes[place] = value
    return Fixtures.file(bytes, "changed.so")
  }

  private static func routes(_ routes: String, _ more: String = "") -> String {
    Fixtures.plugin(manifest: #"{"id":"reject","version":"2","routes":[\#(routes)]\#(more)}"#)
  }

  private static func get(_ path: String, _ operation: String) -> String {
    #"{"method":"GET","path":"\#(path)","operation":"\#(operation)"}"#
  }

  static let file: [Case] = [
    .init("empty", "plugin.file.empty") { Fixtures.file([], "empty.so") },
    .init("not ELF", "plugin.elf.not_elf") { Fixtures.file(Array("#!/bin/sh\n".utf8), "script.so") },
    .init("truncated in the header", "plugin.elf.truncated_header") { truncated(40) },
    .init("truncated in a segment", "plugin.elf.truncated_segment") { truncated(9000) },
    .init("32-bit", "plugin.elf.class") { changed(4, 1) },
    .init("other machine", "plugin.elf.machine") { changed(18, 183) },
    .init("executable", "plugin.elf.executable") { Fixtures.plugin("executable", shared: false) },
    .init("directory", "plugin.file.not_regular") { "/tmp" },
    .init("FIFO", "plugin.file.not_regular") {
      let path = "\(Fixtures.folder)/\(UUIDv7.make()).fifo"
      System.shell("mkfifo \(path)")
      return path
    },
    .init("too large", "plugin.file.too_large") {
      let path = "\(Fixtures.folder)/\(UUIDv7.make()).so"
      System.shell("truncate -s 65M \(path)")
      return path
    },
    .init("escaping path", "plugin.file.path_invalid") { Fixtures.folder + "/../passwd" },
    .init("missing", "plugin.file.not_found") { Fixtures.folder + "/none.so" },
  ]

  static let link: [Case] = [
    .init("missing library", "plugin.link.missing_library") {
      Fixtures.plugin("good", "-Wl,--no-as-needed '\(library("libcouncil-absent.so"))'")
    },
    .init("undefined_symbol", "plugin.link.undefined_symbol"),
    .init("wrong symbol version", "plugin.link.symbol_version") { wrongVersion() },
  ]

  static let code: [Case] = [
    .init("constructor_crashes", "plugin.probe.crashed", quarantines: true),
    .init("constructor_exits", "plugin.probe.exited", quarantines: true),
    .init("constructor_hangs", "plugin.probe.timeout", quarantines: true),
    .init("constructor_forks", "plugin.probe.forked", quarantines: true),
    .init("constructor_handles_signals", "plugin.probe.signal_handler", quarantines: true),
    .init("ifunc_crashes", "plugin.probe.crashed", quarantines: true),
    .init("constructor_closes", "plugin.probe.descriptors", quarantines: true),
    .init("constructor_overwrites", "plugin.probe.descriptors", quarantines: true),
  ]

  static let abi: [Case] = [
    .init("no_entry", "plugin.abi.no_entry"), .init("null_table", "plugin.abi.null_table"),
    .init("null_members", "plugin.abi.null_member"), .init("other_major", "plugin.abi.major"),
    .init("newer_minor", "plugin.abi.min_host_minor"),
    .init("missing_extension", "plugin.abi.extension_missing"),
    .init("manifest_not_json", "plugin.manifest.json"),
    .init("manifest_not_utf8", "plugin.manifest.not_utf8"),
    .init("manifest_large", "plugin.manifest.too_large") {
      Fixtures.plugin("manifest_large", "-DSIZE=104857600")
    },
    .init("not what was sealed", "plugin.manifest.not_as_sealed") { sealedDifferently() },
  ]

  private static func records(_ field: String, _ name: String = "people") -> String {
    routes(
      get("/", "one"),
      #","requires":["council.records/1"],"records":[{"name":"\#(name)","fields":[\#(field)]}]"#)
  }

  static let meaning: [Case] = [
    .init("a collection of the engine's own name", "records.unsupported") {
      records(#"{"name":"a","type":"string"}"#, "sqlite_x")
    },
    .init("an encrypted field without a key", "records.encryption_unconfigured") {
      records(#"{"name":"a","type":"string","encrypted":true}"#)
    },
    .init("duplicate route", "plugin.route.duplicate") {
      routes(get("/{a}", "one") + "," + get("/{b}", "two"))
    },
    .init("ambiguous pattern", "plugin.route.ambiguous") {
      routes(get("/{a}/x", "one") + "," + get("/y/{b}", "two"))
    },
    .init("route of another automation", "plugin.manifest.invalid") { routes(get("/../hello", "one")) },
    .init("reserved path", "plugin.manifest.invalid") {
      Fixtures.plugin(manifest: #"{"id":"health","version":"2","routes":[\#(get("/", "one"))]}"#)
    },
    .init("another automation's id", "plugin.manifest.other_automation") {
      Fixtures.plugin(manifest: #"{"id":"other","version":"2","routes":[\#(get("/", "one"))]}"#)
    },
    .init("undeclared records", "plugin.probe.create_refused") { Fixtures.plugin("create_uses_records") },
    .init("create that fails", "plugin.probe.create_refused") { Fixtures.plugin("create_refuses") },
    .init("create that hangs", "plugin.probe.timeout", quarantines: true) { Fixtures.plugin("create_hangs") },
  ]

  @Test func nothingBadComesInAndNobodyNotices() throws {
    let host = try HostUnderTest(settings: "plugins:\n  probe_timeout_ms: 1500\n")
    let loaded = try host.admin("POST", "/automations", body: #"{"path":"\#(Fixtures.plugin("good"))"}"#)
    #expect(loaded.status == 201 || loaded.status == 200, "\(loaded.body)")
    let key = try host.issueKey(["reject:read"])
    let callers = Callers(2, port: host.port, target: "/reject/", key: key)
    #expect(eventually { callers.answers > 100 })
    let before = host.descriptors
    for each in BadPluginTests.file + BadPluginTests.link + BadPluginTests.code + BadPluginTests.abi
      + BadPluginTests.meaning
    {
      let path = each.path()
      let answer = try host.reload("reject", path: path)
      #expect(answer.code == each.code, "\(each.name): \(answer.body)")
      #expect((400..<500).contains(answer.status), "\(each.name): \(answer.status)")
      #expect(answer.headers["content-type"] == "application/problem+json")
      if each.quarantines {
        let again = try host.reload("reject", path: path)
        #expect(again.code == "plugin.quarantined", "\(each.name): \(again.body)")
      }
    }
    let mismatch = try host.admin(
      "POST", "/automations/reject/reload",
      body:
        #"{"path":"\#(Fixtures.plugin("good", "-DOTHER"))","sha256":"\#(String(repeating: "0", count: 64))"}"#
    )
    #expect(mismatch.code == "plugin.file.hash_mismatch")
    let twice = try host.admin("POST", "/automations", body: #"{"path":"\#(Fixtures.plugin("good"))"}"#)
    #expect(twice.code == "automation.exists")
    let config = try host.admin(
      "POST", "/automations/reject/reload", body: #"{"path":"\#(Fixtures.plugin("good"))","config":{"x":1}}"#)
    #expect(config.code == "automation.config_invalid")

    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")
    #expect(tally.bodies.count == 1)
    #expect(
      eventually { host.descriptors <= before }, "\(before) descriptors became \(host.descriptors)")
    let show = try host.admin("GET", "/automations/reject")
    #expect(show.json?["generation"]?.integer == 1)
    print("bad plugins: \(tally.answers) requests were answered meanwhile, none failed")
    #expect(host.stop() == 0)
  }

  /// A shared object to link against that will not be there.
  private static func library(_ name: String) -> String {
    let path = "\(Fixtures.folder)/\(name)"
    System.shell(
      "echo 'int absent(void){return 1;}' | cc -shared -fPIC -Wl,-soname,\(name) -x c - -o \(path)")
    System.shell("cp \(path) \(path).link && rm \(path)")
    return path + ".link"
  }

  /// A plugin that needs version 2 of a symbol whose library has version 1.
  private static func wrongVersion() -> String {
    let folder = "\(Fixtures.folder)/version-\(UUIDv7.make())"
    let rejects = "\(Fixtures.root)/Tests/Rejects"
    System.shell(
      """
      mkdir -p \(folder) && cd \(folder) &&
      cc -shared -fPIC -Wl,--version-script=\(rejects)/dependency_2.map \(rejects)/dependency.c -o libdependency.so -Wl,-soname,libdependency.so &&
      cc -std=gnu11 -D_GNU_SOURCE -w -shared -fPIC -fvisibility=hidden -I\(Fixtures.root)/PluginAPI/C/include -I\(rejects) \
        \(rejects)/needs_dependency.c -o plugin.so -L. -ldependency -Wl,-rpath,\(folder) &&
      cc -shared -fPIC -Wl,--version-script=\(rejects)/dependency_1.map \(rejects)/dependency.c -o libdependency.so -Wl,-soname,libdependency.so
      """)
    return folder + "/plugin.so"
  }

  /// A sealed plugin whose seal says something else than its code.
  private static func sealedDifferently() -> String {
    let sealed = "\(Fixtures.folder)/sealed-\(UUIDv7.make()).so"
    _ = Child(
      HostUnderTest.binary, ["plugin", "seal", Fixtures.plugin("good"), "-o", sealed],
      output: "\(Fixtures.folder)/seal.log"
    ).wait()
    let changed = "\(Fixtures.folder)/manifest.json"
    System.write(#"{"id":"reject","version":"9","routes":[\#(get("/", "one"))]}"#, to: changed)
    System.shell("objcopy --update-section .council.manifest=\(changed) \(sealed)")
    return sealed
  }
}

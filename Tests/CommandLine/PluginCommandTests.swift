import Application
import CommandLineInterface
import Kernel
import Testing

struct PluginNewTests {
  private func files(executable: String? = "/opt/council/.build/release/council") -> MemoryLocalFiles {
    let files = MemoryLocalFiles(executable: executable)
    let root = "/opt/council/PluginAPI/Templates/"
    files.put(root + "swift/Package.swift", #"name: "__ID__", path: "__COUNCIL_PATH__""#, mode: 0o644)
    files.put(
      root + "swift/Sources/__NAME__/__NAME__.swift", "struct __NAME__ { static let id = \"__ID__\" }",
      mode: 0o644)
    files.put(root + "swift/.gitignore", ".build/\n", mode: 0o644)
    files.put(root + "swift/build.sh", "#!/bin/sh\n", mode: 0o755)
    files.put(root + "swift/.build/junk.o", "x", mode: 0o644)
    files.put(root + "c/plugin.c", "/* __ID__ */", mode: 0o644)
    return files
  }

  @Test func aProjectIsTheTemplateWithItsNames() {
    let console = Console(files: files())
    #expect(console.run("plugin", "new", "my-orders", "--lang", "swift", "--json") == 0, "\(console.errors)")
    #expect(
      console.json["files"] == [".gitignore", "Package.swift", "Sources/MyOrders/MyOrders.swift", "build.sh"])
    #expect(
      console.files.text("/here/my-orders/Package.swift") == #"name: "my-orders", path: "/opt/council""#)
    #expect(
      console.files.text("/here/my-orders/Sources/MyOrders/MyOrders.swift")
        == "struct MyOrders { static let id = \"my-orders\" }")
    #expect(console.files.mode("/here/my-orders/build.sh") == 0o755)
  }

  @Test func theFolderAndTheTemplatesMayBeElsewhere() {
    for (arguments, environment) in [
      (["--council-path", "/opt/council"], [:]), ([], ["COUNCIL_PATH": "/opt/council"]),
    ] {
      let console = Console(files: files(executable: "/usr/bin/council"))
      console.environment = environment
      #expect(console.run(["plugin", "new", "x", "--lang", "c", "--dir", "/tmp/y"] + arguments) == 0)
      #expect(console.files.text("/tmp/y/plugin.c") == "/* x */")
    }
  }

  @Test func templatesThatAreNotFoundAreSaidSo() {
    for (arguments, message) in [([], "--council-path DIR"), (["--council-path", "/nowhere"], "/nowhere")] {
      let console = Console(files: files(executable: "/usr/bin/council"))
      #expect(console.run(["plugin", "new", "x", "--lang", "c"] + arguments) == 5)
      #expect(console.errors.contains(message))
    }
  }

  @Test func nothingIsOverwritten() {
    let console = Console(files: files())
    console.files.put("/here/orders/precious.txt", "mine")
    #expect(console.run("plugin", "new", "orders", "--lang", "c") == 5)
    #expect(
      console.errors.contains("nothing is overwritten") && console.files.text("/here/orders/plugin.c") == nil)
  }

  @Test(arguments: ["Orders", "1st", "a_b", "v2", "admin", "-x", "a/b", String(repeating: "a", count: 64)])
  func aNameThatCannotBeAnIDIsRefused(name: String) {
    let console = Console(files: files())
    #expect(console.run("plugin", "new", "--lang", "c", "--", name) == 2)
  }

  @Test func aLanguageWithoutATemplateIsRefused() {
    let console = Console(files: files())
    #expect(
      console.run("plugin", "new", "x", "--lang", "cobol") == 2 && console.errors.contains("swift or c"))
    #expect(console.run("plugin", "new", "x") == 2)
  }
}

struct PluginFileTests {
  private func console() -> Console {
    let console = Console()
    console.files.put("/here/p.so", "\u{7F}ELF")
    return console
  }

  @Test func aGoodPluginPassesEveryStep() {
    let console = console()
    #expect(console.run("plugin", "check", "p.so", "--json") == 0, "\(console.errors)")
    #expect(console.json["id"] == "hello" && console.json["sealed"] == false)
    #expect(
      Set(console.json["steps_ms"]?.object.map { $0.keys.map { $0 } } ?? []) == [
        "validate", "probe", "manifest", "plan", "lint",
      ])
    #expect(console.json["lint"]?["tokens"]?["total"]?.integer ?? 0 > 0)
    #expect(console.requests.isEmpty)
  }

  private static let shop = """
    {"id":"shop","version":"1","requires":["council.stream/1"],"routes":[
     {"method":"GET","path":"/","operation":"list","summary":"List things"},
     {"method":"DELETE","path":"/{id}","operation":"drop","title":"Drop a thing","confirm":true,"dry_run":true,
      "idempotency":"required","deprecated":{"since":"2026-01-01T00:00:00Z"}},
     {"method":"POST","path":"/news","operation":"follow","stream":true,"hints":{"open_world":true}}]}
    """

  /// How agents see the operations: the same from a check and from what was sealed.
  @Test(arguments: ["check", "show"]) func operationsAreShownAsAgentsSeeThem(command: String) {
    let console = console()
    console.inspector.manifest = .success(PluginFileTests.shop)
    console.inspector.facts = .success(
      PluginFileFacts(
        bytes: 1, sha256: "ab", sealedManifest: Array(PluginFileTests.shop.utf8), neededLibraries: []))
    #expect(console.run("plugin", command, "p.so", "--json") == 0, "\(console.errors)")
    let routes = console.json["routes"]?.array ?? []
    #expect(routes.map { $0["name"] } == ["shop_list", "shop_drop", "shop_follow"])
    #expect(routes.allSatisfy { ($0["tokens"]?.integer ?? 0) > 20 && $0["strict"] == true })
    #expect(routes[1]["title"] == "Drop a thing" && routes[1]["path"] == "/shop/{id}")
    #expect(
      routes[1]["hints"] == [
        "read_only": false, "destructive": true, "idempotent": true, "open_world": false,
      ])
    #expect(
      routes[1]["confirm"] == true && routes[1]["dry_run"] == true && routes[1]["idempotency"] == "required"
        && routes[1]["deprecated"] == true && routes[1]["stream"] == false)
    #expect(console.run("plugin", command, "p.so") == 0)
    let lines = console.output.split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("NAME ") && $0.hasSuffix("TITLE") })
    for (name, words) in [
      ("shop_list", ["reads, idempotent", "List things"]),
      ("shop_drop", ["destroys, idempotent", "confirm, dry run, key required, deprecated", "Drop a thing"]),
      ("shop_follow", ["open world", "streams"]),
    ] {
      let line = lines.first { $0.hasPrefix(name + " ") }.map(String.init) ?? ""
      #expect(words.allSatisfy { line.contains($0) }, "\(line)")
    }
    let tokens = routes.reduce(0) { $0 + ($1["tokens"]?.integer ?? 0) }
    #expect(console.output.contains("3 operation(s) cost a model about \(tokens) tokens"))
  }

  @Test func theStepThatFailsIsNamed() {
    let problem = Problem(422, "some.code", "No good.")
    let bad: [(String, (Console) -> Void)] = [
      ("validate", { $0.inspector.facts = .failure(problem) }),
      ("probe", { $0.inspector.manifest = .failure(problem) }),
      ("manifest", { $0.inspector.manifest = .success("{}") }),
      ("plan", { $0.plan = .failure(problem) }),
    ]
    for (step, spoil) in bad {
      let console = console()
      spoil(console)
      #expect(console.run("plugin", "check", "p.so") == 1)
      #expect(console.errors.contains("at step \(step)"), "\(console.errors)")
    }
  }

  @Test func aManifestThatIsNotWhatWasSealedIsRefused() {
    let console = console()
    console.inspector.facts = .success(
      PluginFileFacts(bytes: 1, sha256: "ab", sealedManifest: Array("{}".utf8), neededLibraries: []))
    #expect(console.run("plugin", "check", "p.so") == 1)
    #expect(console.errors.contains("[plugin.manifest.not_as_sealed]"))
  }

  @Test func showReadsTheSealAndRunsNothing() {
    let console = console()
    console.inspector.manifest = .failure(Problem(422, "plugin.probe.crashed", "It was run."))
    #expect(console.run("plugin", "show", "p.so") == 0 && console.output.contains("not sealed"))
    console.inspector.facts = .success(
      PluginFileFacts(
        bytes: 1, sha256: "ab", sealedManifest: Array(Console.manifest.utf8), neededLibraries: []))
    #expect(console.run("plugin", "show", "p.so") == 0 && console.output.contains("GET     /hello/{name}"))
  }

  @Test func sealWritesWhereItIsTold() {
    for (arguments, output) in [
      ([], "/here/p.so"), (["-o", "q.so"], "/here/q.so"), (["--output=/r.so"], "/r.so"),
    ] {
      let console = console()
      #expect(console.run(["plugin", "seal", "p.so", "--json"] + arguments) == 0)
      #expect(console.json["output"] == .string(output) && console.json["id"] == "hello")
      #expect(console.json["sha256"] == "{}")
    }
  }

  @Test func aPluginThatNeedsAConfigurationIsSealedWithIt() {
    let console = console()
    console.files.put("/here/c.json", #"{"a":1}"#)
    #expect(console.run("plugin", "seal", "p.so", "--config", "c.json", "--json") == 0)
    #expect(console.json["sha256"] == #"{"a":1}"#)
  }
}

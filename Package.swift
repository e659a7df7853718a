// swift-tools-version: 6.2
import PackageDescription

// Targets stand in layer order: each may depend on those above it, and the build refuses the rest
// (`--explicit-target-dependency-import-check error`). Host/README.md is the map.

let infrastructure = "Host/Infrastructure"
let systemLibraries = "\(infrastructure)/SystemLibraries"

let package = Package(
  name: "Council",
  products: [
    .executable(name: "council", targets: ["council"]),
    .library(name: "CouncilPlugin", targets: ["CouncilPlugin"]),
    .library(name: "CouncilTesting", targets: ["CouncilTesting"]),
    .library(name: "Accounts", type: .dynamic, targets: ["Accounts", "PluginExport"]),
    // For tests: the next Accounts, which replaces it, and version 2, which serves beside it.
    .library(name: "AccountsNext", type: .dynamic, targets: ["AccountsNext", "PluginExport"]),
    .library(name: "AccountsV2", type: .dynamic, targets: ["AccountsV2", "PluginExport"]),
    .library(name: "Hello", type: .dynamic, targets: ["Hello"]),
    .library(name: "Ticker", type: .dynamic, targets: ["Ticker", "PluginExport"]),
  ],
  targets: [
    // MARK: PluginAPI: the contract, and what a plugin author links
    .target(name: "CCouncil", path: "PluginAPI/C", exclude: ["layout.txt"]),
    .target(name: "CouncilPlugin", dependencies: ["CCouncil"], path: "PluginAPI/Swift"),
    .target(
      name: "CouncilTesting", dependencies: ["CCouncil", "CouncilPlugin"],
      path: "PluginAPI/FakeHost"),

    // MARK: Plugins: one folder, one automation, one shared library
    .target(
      name: "PluginExport", path: "PluginAPI/Recipes/Export", publicHeadersPath: ".",
      linkerSettings: pluginLinking),
    .target(name: "Accounts", dependencies: ["CouncilPlugin"], path: "Plugins/Accounts"),
    .target(
      name: "Hello", dependencies: ["CCouncil"], path: "Plugins/Examples/Hello", publicHeadersPath: ".",
      cSettings: [.unsafeFlags(["-fvisibility=hidden"])], linkerSettings: pluginLinking),
    .target(name: "Ticker", dependencies: ["CouncilPlugin"], path: "Plugins/Examples/Ticker"),

    // MARK: Host/Kernel: bytes, JSON, time, threads, problems
    .target(name: "CThreads", path: "Host/Kernel/CThreads"),
    .target(name: "CCrashPage", dependencies: ["CThreads"], path: "Host/Kernel/CCrashPage"),
    .target(name: "CProcesses", path: "Host/Kernel/CProcesses"),
    .target(
      name: "CSimdJSON", path: "Host/Kernel/CSimdJSON",
      linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("m")]),
    .target(
      name: "Kernel", dependencies: ["CThreads", "CCrashPage", "CProcesses", "CSimdJSON"],
      path: "Host/Kernel",
      exclude: ["CThreads", "CCrashPage", "CProcesses", "CSimdJSON"]),

    // MARK: Host/Domain: values and rules, no I/O, no clock
    .target(name: "Domain", dependencies: ["Kernel"], path: "Host/Domain"),

    // MARK: Host/Application: use cases, and the ports that adapters fill
    .target(
      name: "Application", dependencies: ["Kernel", "Domain"], path: "Host/Application",
      exclude: ["Configuration/README.md", "Usage/README.md"]),

    // MARK: Host/Infrastructure: one target per technology
    system("CMicroHTTPD", pkgConfig: "libmicrohttpd", apt: "libmicrohttpd-dev"),
    system("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
    system("COpenSSL", pkgConfig: "libcrypto", apt: "libssl-dev"),
    system("CPCRE2", pkgConfig: "libpcre2-8", apt: "libpcre2-dev"),
    system("CElf", pkgConfig: "libelf", apt: "libelf-dev"),
    system("CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),
    system("CSeccomp", pkgConfig: "libseccomp", apt: "libseccomp-dev"),
    adapter("Cryptography", on: "COpenSSL"),
    adapter("JSONSchema", on: "CPCRE2"),
    .target(
      name: "CHTTPEdge", dependencies: ["CMicroHTTPD"],
      path: "\(infrastructure)/HTTPServer/CHTTPEdge", linkerSettings: [.linkedLibrary("gnutls")]),
    adapter("HTTPServer", on: "CHTTPEdge", exclude: ["CHTTPEdge"]),
    .target(name: "CCurl", path: "\(infrastructure)/HTTPClient/CCurl"),
    adapter("HTTPClient", on: "CCurl", exclude: ["CCurl"]),
    adapter("Configuration", on: "CYAML"),
    adapter("PluginFiles"),
    .target(
      name: "CPlugins", dependencies: ["CSeccomp"], path: "\(infrastructure)/PluginRuntime/CPlugins"),
    adapter(
      "PluginRuntime", on: "CElf", "CCouncil", "CCrashPage", "CPlugins", exclude: ["CPlugins", "README.md"]),
    .target(name: "CSupervision", path: "\(infrastructure)/Supervision/CSupervision"),
    adapter("Supervision", on: "CCrashPage", "CSupervision", exclude: ["CSupervision", "README.md"]),
    adapter("SQLiteStore", on: "CSQLite", path: "Stores/SQLite"),
    adapter("Audit"),
    adapter("Telemetry"),

    // MARK: Host/Interfaces: how people, agents and load balancers reach the use cases
    interface("Gateway", exclude: ["README.md"]),
    interface("OpenAPI", exclude: ["README.md"]),
    interface("MCP", exclude: ["README.md"]),
    interface("Functions"),
    interface("Discovery"),
    interface("AdminAPI"),
    interface("CommandLineInterface", path: "CommandLine"),

    // MARK: Host/Executable: the composition root
    .executableTarget(
      name: "council",
      dependencies: [
        "Kernel", "Domain", "Application", "Cryptography", "JSONSchema", "HTTPServer", "HTTPClient",
        "Configuration", "PluginFiles", "PluginRuntime", "Supervision", "SQLiteStore", "Audit", "Telemetry",
        "Gateway",
        "MCP",
        "OpenAPI",
        "Functions",
        "Discovery",
        "AdminAPI",
        "CommandLineInterface",
      ],
      path: "Host/Executable"),

    // MARK: Tests mirror the targets
    // Folders for tests, below TMPDIR.
    .target(name: "Scratch", dependencies: ["Kernel"], path: "Tests/Scratch"),
    // How long tests wait.
    .target(name: "Patience", dependencies: ["Kernel"], path: "Tests/Patience"),
    .target(
      name: "Doubles", dependencies: ["Kernel", "Domain", "Application"], path: "Tests/Doubles"),
    tests("Kernel"),
    tests("Domain"),
    tests("Application", with: "Doubles"),
    tests("Cryptography"),
    tests("JSONSchema"),
    tests("HTTPServer"),
    tests("Configuration"),
    tests("PluginFiles"),
    // With what stands around it in the host, for the stress test.
    tests(
      "PluginRuntime", with: "Gateway", "SQLiteStore", "Audit", "Telemetry", "Cryptography", "JSONSchema",
      "PluginFiles"),
    // What every records engine does, for the tests of each.
    .target(
      name: "RecordsContract", dependencies: ["Kernel", "Domain", "Application"], path: "Tests/Contract"),
    // Writes until it is killed, for the crash test.
    .executableTarget(
      name: "records-crash-writer", dependencies: ["Kernel", "Domain", "Application", "SQLiteStore"],
      path: "Tests/Faults/RecordsCrashWriter"),
    .executableTarget(
      name: "records-bench", dependencies: ["Kernel", "Domain", "Application", "SQLiteStore"],
      path: "Tests/Benchmarks/Records"),
    .testTarget(
      name: "SQLiteStoreTests",
      dependencies: [
        "Kernel", "Domain", "Application", "Cryptography", "SQLiteStore", "RecordsContract", "Patience",
        "records-crash-writer",
      ],
      path: "Tests/SQLiteStore"),
    tests("Audit", with: "Cryptography"),
    tests("Telemetry"),
    tests("Gateway", with: "Doubles", "Cryptography"),
    tests("MCP", with: "Gateway", "Doubles", "Cryptography", "JSONSchema"),
    tests("OpenAPI", with: "Discovery", "Doubles", "Cryptography", "JSONSchema"),
    tests("Functions", with: "Doubles", "Gateway", "Cryptography", "JSONSchema"),
    tests("AdminAPI", with: "CommandLineInterface", "Doubles"),
    tests("CommandLineInterface", path: "CommandLine", with: "Doubles", "JSONSchema"),
    .target(name: "AccountsNext", dependencies: ["CouncilPlugin"], path: "Tests/Faults/AccountsNext"),
    .target(name: "AccountsV2", dependencies: ["CouncilPlugin"], path: "Tests/Faults/AccountsV2"),
    // The host as a process, with real plugins and real clients.
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        "Kernel", "Application", "Domain", "CommandLineInterface", "Scratch", "Patience", "council",
      ],
      path: "Tests/EndToEnd"),
    .testTarget(
      name: "PluginAPITests",
      dependencies: ["CCouncil", "CouncilPlugin", "CouncilTesting", "Accounts", "Scratch"],
      path: "Tests/PluginAPI", exclude: ["Fixtures"]),
  ],
  cLanguageStandard: .c11,
  cxxLanguageStandard: .cxx17
)

// Scripts/sanitize builds the tests that it runs: the others take as long to build as these.
if let wanted = Context.environment["COUNCIL_TESTS"]?.split(separator: " ") {
  package.targets.removeAll { $0.type == .test && !wanted.contains(Substring($0.name)) }
}

/// A shared library that exports the entry symbol and nothing else, and binds to itself first: two
/// generations of one plugin must never share a symbol. PluginAPI/Recipes/README.md has the reasons.
var pluginLinking: [LinkerSetting] {
  [
    .unsafeFlags([
      "-Xlinker", "--version-script=\(Context.packageDirectory)/PluginAPI/Recipes/plugin.map",
      "-Xlinker", "-Bsymbolic", "-Xlinker", "-z", "-Xlinker", "now",
    ]),
    // The symbol table is three quarters of a file that is hashed and copied with every reload.
    .unsafeFlags(["-Xlinker", "-s"], .when(configuration: .release)),
  ]
}

func system(_ name: String, pkgConfig: String, apt package: String) -> Target {
  .systemLibrary(
    name: name, path: "\(systemLibraries)/\(name)", pkgConfig: pkgConfig,
    providers: [.apt([package])])
}

func adapter(
  _ name: String, on libraries: Target.Dependency..., path: String? = nil, exclude: [String] = []
) -> Target {
  .target(
    name: name, dependencies: ["Kernel", "Domain", "Application"] + libraries,
    path: "\(infrastructure)/\(path ?? name)", exclude: exclude)
}

func interface(_ name: String, path: String? = nil, exclude: [String] = []) -> Target {
  .target(
    name: name, dependencies: ["Kernel", "Domain", "Application"],
    path: "Host/Interfaces/\(path ?? name)", exclude: exclude)
}

func tests(_ name: String, path: String? = nil, with more: String...) -> Target {
  let layers = ["Kernel", "Domain", "Application"].filter { $0 != name }
  return .testTarget(
    name: "\(name)Tests",
    dependencies: (layers + [name, "Scratch", "Patience"] + more).map { .byName(name: $0) },
    path: "Tests/\(path ?? name)")
}

/// What every Swift target is compiled with.
let swiftSettings: [SwiftSetting] = [
  // Data races are compile errors.
  .swiftLanguageMode(.v6),
  // A dynamic dispatch is visible where it happens.
  .enableUpcomingFeature("ExistentialAny"),
  // An import is private to its target unless it says otherwise: arrows stay readable.
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  // Lent spans instead of pointers.
  .enableExperimentalFeature("Lifetimes"),
  // Every unsafe use is marked, and fenced in an Unsafe folder by Scripts/check.
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  // The run-time half of the exclusivity check costs a third of the request path. Debug builds, and so every
  // test and sanitizer run, keep it; the compile-time half always holds.
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]
for target in package.targets {
  switch target.type {
  case .regular, .executable, .test: target.swiftSettings = swiftSettings + (target.swiftSettings ?? [])
  default: break
  }
}

// swift-tools-version: 6.2
import PackageDescription

// Where Council is checked out.
let council = "__COUNCIL_PATH__"

let package = Package(
  name: "__NAME__",
  products: [
    // What the host loads: lib__NAME__.so.
    .library(name: "__NAME__", type: .dynamic, targets: ["__NAME__", "Export"])
  ],
  dependencies: [.package(name: "Council", path: council)],
  targets: [
    .target(name: "__NAME__", dependencies: [.product(name: "CouncilPlugin", package: "Council")]),
    // Carries the linker's settings, so that tests can link the automation without them: one exported symbol,
    // and nothing shared between two versions that are loaded at once.
    .target(
      name: "Export", publicHeadersPath: ".",
      linkerSettings: [
        .unsafeFlags([
          "-Xlinker", "--version-script=\(council)/PluginAPI/Recipes/plugin.map", "-Xlinker", "-Bsymbolic",
          "-Xlinker", "-z", "-Xlinker", "now",
        ]),
        .unsafeFlags(["-Xlinker", "-s"], .when(configuration: .release)),
      ]),
    .testTarget(
      name: "__NAME__Tests",
      dependencies: ["__NAME__", .product(name: "CouncilTesting", package: "Council")]),
  ]
)

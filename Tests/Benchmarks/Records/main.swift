// What records cost on this machine: `swift run -c release records-bench [FOLDER] [--reads] [--size N] [--keys N]`.
// `--size` measures only what must not depend on the number of records, and migrations of so many.
// FOLDER lies on the disk to be measured; it is made, and the files in it stay.
import Application
import Domain
import Kernel
import SQLiteStore

let arguments = CommandLine.arguments.dropFirst()
let folder = arguments.first { !$0.hasPrefix("-") } ?? "/tmp/records-bench-\(Hex.encode(randomBytes(4)))"
let bench = try RecordsBench(folder: folder)
if let place = arguments.firstIndex(of: "--size") {
  try bench.size(arguments.indices.contains(place + 1) ? Int(arguments[place + 1]) ?? 1_000_000 : 1_000_000)
} else {
  try bench.reads()
}
if !arguments.contains("--size"), !arguments.contains("--reads") { try bench.writes() }
if let place = arguments.firstIndex(of: "--keys") {
  try bench.keys(arguments.indices.contains(place + 1) ? Int(arguments[place + 1]) ?? 1_000_000 : 1_000_000)
}

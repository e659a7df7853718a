import Application
import CommandLineInterface
import Domain
import Kernel

/// Port ``ReplayGate``: `council plugin replay` in a process of its own, with the hosts it starts.
struct ReplayByChild: ReplayGate {
  let home: String
  let recordings: any RecordingFiles
  let limit: Duration
  /// Empty where no field is encrypted.
  let encryptionKeys: String

  func replay(_ replay: RequiredReplay, new: String, old: String, config: [UInt8], isolation: Isolation)
    throws(Problem)
  {
    let path = try recordings.path(of: replay.recording)
    let folder = try PrivateFolder.make()
    defer { PrivateFolder.remove(folder) }
    try HomeFolder.writeSecret(String(decoding: config, as: UTF8.self), to: folder + "/config.json")
    let process = try CouncilProcess(
      [
        "plugin", "replay", new, "--recording", path, "--against", old, "--home", home, "--config",
        folder + "/config.json", "--isolation", isolation.text, "--json",
      ] + (replay.writes ? ["--writes"] : [])
        + (encryptionKeys.isEmpty ? [] : ["--encryption-keys", encryptionKeys]), output: folder + "/report")
    let isDone = process.wait(until: .now + limit)
    process.end()
    let text = (try? SystemFiles().read(folder + "/report", maxBytes: 64 << 20)) ?? []
    let report = try? JSONValue.parse(text.span)
    guard isDone else {
      throw Problem(504, "replay.timeout", "The replay did not end within \(limit).")
    }
    if process.exitCode == 0 { return }
    guard let report, report["clean"]?.bool == false else {
      throw Problem(
        422, report?["code"]?.string ?? "replay.failed",
        "The replay did not run: \(report?["detail"]?.string ?? String(decoding: text.suffix(500), as: UTF8.self))"
      )
    }
    if report["compared"]?.integer == 0 {
      throw Problem(
        409, "replay.nothing_compared",
        "The recording '\(replay.recording)' has no \(replay.writes ? "" : "read-only ")call that could be compared."
      )
    }
    throw Problem(
      409, "replay.differs",
      "\(report["different"]?.integer ?? 0) of \(report["compared"]?.integer ?? 0) recorded call(s) are answered "
        + "differently.",
      members: ["changes": .array(Array((report["differences"]?.array ?? []).prefix(20)))])
  }
}

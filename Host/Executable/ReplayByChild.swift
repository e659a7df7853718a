import Application
import Kernel

/// Port ``ReplayGate``: `council plugin replay` in a process of its own.
struct ReplayByChild: ReplayGate {
  let recordings: any RecordingFiles
  let limit: Duration

  func replay(_ recording: String, new: String, old: String, config: [UInt8]) throws(Problem) {
    let path = try recordings.path(of: recording)
    throw Problem(501, "replay.unavailable", "\(path)")
  }
}

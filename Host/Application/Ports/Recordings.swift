package import Domain
package import Kernel

/// The folder of recorded traffic: one file per recording, readable by its owner alone.
package protocol RecordingFiles: AnyObject, Sendable {
  /// Creates a file of that name, which must be new; deletes the oldest ones beyond the bound.
  func create(_ name: String) throws(Problem) -> any RecordingFile
  /// Where a recording is. Throws `recording.not_found` (404), also for a name that is a path.
  func path(of name: String) throws(Problem) -> String
}

/// A recording that is being written. One thread at a time.
package protocol RecordingFile: AnyObject {
  var path: String { get }
  func write(_ bytes: [UInt8]) throws(Problem)
  /// Returns when it is on disk.
  func close() throws(Problem)
}

/// The recording that a new file has to answer as the active one does.
package struct RequiredReplay: Sendable, Equatable {
  /// The name of its file.
  package var recording: String
  /// Also its calls that change something; read-only ones alone otherwise.
  package var writes: Bool

  package init(_ recording: String, writes: Bool = false) {
    self.recording = recording
    self.writes = writes
  }
}

/// Runs a recording against two plugin files, in hosts of their own and on copies of the records.
package protocol ReplayGate: Sendable {
  /// Throws `replay.differs` (409) when the new file answers otherwise than the old one. Where one of the two runs
  /// isolated, both do: a replay gives code no more than serving would. [control]
  func replay(_ replay: RequiredReplay, new: String, old: String, config: [UInt8], isolation: Isolation)
    throws(Problem)
}

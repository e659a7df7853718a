import Domain
import Kernel

extension ChangeAutomation {
  /// The step REPLAY: recorded traffic against the candidate and the generation that serves.
  func replay(
    _ replay: RequiredReplay, _ candidate: Candidate, against previous: Generation?, config: [UInt8],
    isolation: Isolation
  ) throws(Problem) {
    guard let gate = ports.replay else {
      throw Problem(501, "replay.unavailable", "This host cannot replay recordings.")
    }
    guard let previous else {
      throw Problem(
        409, "replay.nothing_to_compare",
        "Automation '\(candidate.manifest.id)' is not loaded: a replay needs a generation to compare with.")
    }
    try gate.replay(
      replay, new: candidate.path, old: ports.files.absolute(previous.record.file), config: config,
      isolation: isolation == .inProcess ? previous.record.isolation : isolation)
  }
}

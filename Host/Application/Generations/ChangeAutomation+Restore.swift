package import Domain
package import Kernel

// What a host does with what is stored when it starts.

extension ChangeAutomation {
  /// What becomes of an active generation at a start, given the earlier ones, newest first.
  package typealias Judge = (GenerationRecord, [GenerationRecord]) -> CrashPolicy.Decision

  /// Brings the stored active set back. An automation whose active generation fails gets the newest earlier
  /// one that works; one that has none is left out. One that crashed before gets what `judge` says. Never throws for one
  /// automation's sake. `isProbed`: a host had these very files mapped a moment ago, so that no probe has to try them
  /// again while clients wait.
  package func restore(
    isProbed: Bool = false, _ judge: Judge = { active, _ in .boot(active.number) }
  ) throws(Problem) {
    for record in try ports.catalog.activeSet() {
      let id = record.automation
      let earlier = try ports.catalog.generations(of: id).filter { $0.number < record.number }
      switch judge(record, earlier) {
      case .boot(record.number):
        let candidates = [record] + earlier
        if !candidates.contains(where: { comesBack($0, insteadOf: record, isProbed) }) {
          automations.miss(id, .failed)
        }
      case .boot(let number):
        ports.log.log(
          .error, "generations",
          "generation \(record.number) of '\(id)' crashed too often: generation \(number) stands in for it",
          ["automation": .string(id), "generation": .integer(Int64(number))])
        let substitute = earlier.first { $0.number == number }
        if substitute.map({ standsIn($0, isProbed) }) == true {
          automations.standIn(id, for: record.number)
        } else {
          automations.miss(id, .crashed)
        }
      case .leaveOut:
        ports.log.log(
          .critical, "generations", "'\(id)' crashed too often and is left out until an admin changes it",
          ["automation": .string(id), "generation": .integer(Int64(record.number))])
        automations.miss(id, .crashed)
      }
    }
  }

  /// Files of uploads that never became a generation, and of generations that never served: a crash in START or of a
  /// canary leaves one. Not while another host may have some.
  package func removeLeftOvers() {
    ports.files.removeIncoming()
    do throws(Problem) {
      ports.files.removeGenerations(except: Set(try ports.catalog.generations(of: nil).map(\.file)))
    } catch {
      ports.log.log(.error, "generations", "what is left over stays: \(error.detail)")
    }
  }

  /// What is stored as active stays: the next start decides anew.
  private func standsIn(_ candidate: GenerationRecord, _ isProbed: Bool) -> Bool {
    comesBack(candidate, insteadOf: candidate, isProbed)
  }

  private func comesBack(
    _ candidate: GenerationRecord, insteadOf record: GenerationRecord, _ isProbed: Bool
  ) -> Bool {
    do throws(Problem) {
      let automation = try revive(candidate, isProbed)
      _ = automations.swap(in: [automation])
      ports.log.log(.info, "generations", "restored", automation.generation.logFields)
      // What serves is what counts; a store that fails here is asked again at the next start.
      if candidate.number != record.number { try ports.catalog.activate([candidate]) }
    } catch {
      ports.log.log(
        .error, "generations",
        "generation \(candidate.number) of '\(record.automation)' does not come back: \(error.detail)",
        ["automation": .string(record.automation), "code": .string(error.code)])
    }
    return automations.live(record.automation) != nil
  }
}

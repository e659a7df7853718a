package import Kernel

/// The steps of a generation's life that a change reports on: DESIGN, section 6.
package enum ChangeStep: String, Sendable, CaseIterable {
  case receive, validate, probe, plan, replay, load, start, swap, drain, store
}

/// What a change did, and how long each step took.
package struct ChangeReport: Sendable {
  package var automation: String
  package var generation: Int
  package var previous: Int?
  package var version: String
  package var sha256: String
  package var routes: Int
  /// What the migration of records did.
  package var migration: [String]
  /// What the linter found in its manifest, at most ``LintReport/maxFindings``.
  package var warnings: [LintFinding]
  /// True while requests still run in the generation that was replaced.
  package var draining: Bool
  package var stepsMilliseconds: [String: Double]
  package var totalMilliseconds: Double

  package var json: JSONValue {
    var json: [String: JSONValue] = [
      "automation": .string(automation), "generation": .integer(Int64(generation)),
      "version": .string(version),
      "sha256": .string(sha256), "routes": .integer(Int64(routes)),
      "migration": .array(migration.map(JSONValue.string)), "warnings": .array(warnings.map(\.json)),
      "draining": .bool(draining), "steps_ms": .object(stepsMilliseconds.mapValues(JSONValue.number)),
      "total_ms": .number(totalMilliseconds),
    ]
    if let previous { json["previous"] = .integer(Int64(previous)) }
    return .object(json)
  }
}

/// Measures the steps of one change, and names the step in the problem that ends it.
struct StepClock {
  private(set) var nanoseconds: [ChangeStep: Int64] = [:]
  private let started = Instant.now

  mutating func measure<Result>(
    _ step: ChangeStep, _ body: () throws(Problem) -> Result
  ) throws(Problem) -> Result {
    let began = Instant.now
    defer { nanoseconds[step, default: 0] += Instant.now - began }
    do throws(Problem) { return try body() } catch {
      var problem = error
      if problem.members["step"] == nil { problem.members["step"] = .string(step.rawValue) }
      throw problem
    }
  }

  var total: Double { StepClock.milliseconds(Instant.now - started) }

  var milliseconds: [String: Double] {
    Dictionary(uniqueKeysWithValues: nanoseconds.map { ($0.rawValue, StepClock.milliseconds($1)) })
  }

  private static func milliseconds(_ nanoseconds: Int64) -> Double {
    (Double(nanoseconds) / 1000).rounded() / 1000
  }
}

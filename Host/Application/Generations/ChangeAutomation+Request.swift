package import Domain
import Kernel

// What a change is asked to do, what bounds it, and what it needs.

extension ChangeAutomation {
  /// Where the new generation's file comes from.
  package enum Source: Sendable {
    /// A path on this machine; it is copied.
    case path(String)
    /// The file of a generation that is kept; it is copied, and not remembered as where the automation comes from.
    case kept(String)
    /// A file in `incoming/` that is ours to move.
    case received(String)
  }

  package enum Intent: Sendable, Equatable {
    /// A new automation; 409 when its id is taken.
    case load
    /// A new generation of an automation that is active.
    case reload(String)
    /// Whichever of the two fits what the manifest says.
    case either
  }

  package struct Request: Sendable {
    package var intent: Intent
    package var source: Source
    /// What the file's SHA-256 has to be, lower-case hex.
    package var expectedSHA256: String?
    /// The automation's configuration; nil keeps the one it has.
    package var config: [UInt8]?
    /// Where its code is to run; nil keeps it, and for a new automation takes the host's default.
    package var isolation: Isolation?
    /// The recording that the new file must answer as the active one does.
    package var replay: RequiredReplay?

    package init(
      _ intent: Intent, from source: Source, expectedSHA256: String? = nil, config: [UInt8]? = nil,
      isolation: Isolation? = nil, replay: RequiredReplay? = nil
    ) {
      self.intent = intent
      self.source = source
      self.expectedSHA256 = expectedSHA256
      self.config = config
      self.isolation = isolation
      self.replay = replay
    }
  }

  package struct Limits: Sendable {
    /// How long a change waits for the one before it.
    package var turn: Duration
    /// How long a change waits for the drain before it answers `draining: true`.
    package var drainWait: Duration
    /// Generations per automation whose files are kept, the active one included.
    package var kept: Int
    /// Retired generations that may still drain when another change begins.
    package var draining: Int
    /// Where the code of a new automation runs when its load does not say.
    package var isolation: Isolation
    /// Of the automations whose place the host's settings fix.
    package var isolations: [String: Isolation]
    /// Automations that one call changes together.
    package var together: Int
    /// Canaries that run at a time, and how long between two looks at the figures of one.
    package var canaries: Int
    package var canaryLook: Duration
    /// What is looked for in a manifest beside what is wrong with it.
    package var lint: LintManifest.Limits

    package init(
      turn: Duration = .seconds(30), drainWait: Duration = .milliseconds(250), kept: Int = 5,
      draining: Int = 8, isolation: Isolation = .inProcess, isolations: [String: Isolation] = [:],
      together: Int = 32, canaries: Int = 16,
      canaryLook: Duration = .milliseconds(100), lint: LintManifest.Limits = .init()
    ) {
      self.lint = lint
      self.turn = turn
      self.drainWait = drainWait
      self.kept = kept
      self.draining = draining
      self.isolation = isolation
      self.isolations = isolations
      self.together = together
      self.canaries = canaries
      self.canaryLook = canaryLook
    }

    /// Where the code of a new generation runs. Throws 409 `automation.isolation_is_set`: what the settings fix, nobody who
    /// may load can undo.
    func isolation(of id: String, _ asked: Isolation?, before: GenerationRecord?) throws(Problem) -> Isolation
    {
      guard let fixed = isolations[id] else { return asked ?? before?.isolation ?? isolation }
      if let asked, asked != fixed {
        throw Problem(
          409, "automation.isolation_is_set",
          "The host's settings (automations.overrides) have '\(id)' run with isolation '\(fixed.text)'.")
      }
      return fixed
    }
  }

  package struct Ports: Sendable {
    package var files: any GenerationFiles
    package var inspector: any PluginInspector
    package var catalog: any Catalog
    package var meter: any RequestMeter
    package var log: any LogSink
    /// nil: no reload can require a replay.
    package var replay: (any ReplayGate)?

    package init(
      files: any GenerationFiles, inspector: any PluginInspector, catalog: any Catalog,
      meter: any RequestMeter, log: any LogSink, replay: (any ReplayGate)? = nil
    ) {
      self.files = files
      self.inspector = inspector
      self.catalog = catalog
      self.meter = meter
      self.log = log
      self.replay = replay
    }
  }
}

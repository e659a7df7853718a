import Application
import Domain

/// In which words a client that listens is told.
protocol ListenerWords: Sendable {
  /// Streams of one session are one client, which hears everything once; nil for a stream that is a client of its own.
  var session: String? { get }
  /// What the stream begins with; `id` is of no other event.
  func opening(_ lists: Lists, id: String) -> String
  /// Whole events, which say that what is listed has changed.
  func news(_ lists: Lists, id: String) -> [String]
}

/// What is listed now.
struct Lists: Sendable, Equatable {
  /// The generations that serve: other ones are news.
  let serials: [Int]
  /// The same in every host that serves the same generations: who saw it on one host can tell on the next that nothing is new.
  let name: String
  let hasResources: Bool

  /// Before anything serves.
  init() { self.init(Snapshot.empty) }

  init(_ snapshot: Snapshot) {
    serials = snapshot.automations.map(\.generation.serial)
    // FNV-1a, 64 bits: whoever made two that are alike would only keep himself from hearing the news.
    var hash: UInt64 = 14_695_981_039_346_656_037
    for automation in snapshot.automations {
      for byte in "\(automation.generation.manifest.id)#\(automation.generation.record.number)\n".utf8 {
        hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211
      }
    }
    name = String(hash, radix: 16)
    hasResources = snapshot.automations.contains { automation in
      automation.generation.manifest.collections.contains { !$0.resourceFields.isEmpty }
    }
  }

  private init(serials: [Int], name: String, hasResources: Bool) {
    self.serials = serials
    self.name = name
    self.hasResources = hasResources
  }

  /// What there is to say about resources includes that they are gone.
  func after(_ earlier: Lists) -> Lists {
    Lists(serials: serials, name: name, hasResources: hasResources || earlier.hasResources)
  }
}

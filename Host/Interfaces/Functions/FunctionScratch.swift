import Application
import Kernel

/// What one event thread reads and writes calls with: kept from one to the next, so that a call allocates little.
final class FunctionScratch {
  /// What an arena keeps.
  private static let keptBytes = 64 << 10

  let call: JSONDocument
  let arguments: JSONDocument
  let text = Arena(capacity: 1024)
  let target = Arena(capacity: 256)
  let body = Arena(capacity: 1024)

  init(depth: Int) {
    call = JSONDocument(maxDepth: depth)
    arguments = JSONDocument(maxDepth: depth)
  }

  func clear() {
    for arena in [text, target, body] { arena.removeAll(retaining: FunctionScratch.keptBytes) }
  }
}

import Application
import Kernel

/// Writes down, once in an interval, when keys were used: not on the request path, and not at every request.
final class KeyUseKeeper: Sendable {
  private let keys: Keys
  private let log: any LogSink
  private let interval: Duration
  private let ended = Monitor(false)

  init(keys: Keys, log: any LogSink, interval: Duration) {
    self.keys = keys
    self.log = log
    self.interval = interval
  }

  func start() {
    OSThread("key-use") {
      var since = Timestamp.now
      var isOver = false
      while !isOver {
        isOver = self.ended.wait(until: .now + self.interval) { $0 ? true : nil } ?? false
        let next = Timestamp.now
        do throws(Problem) { try self.keys.storeUses(since: since) } catch {
          self.log.log(.warning, "keys", "the use of keys is not written down: \(error.detail)")
          continue
        }
        since = next
      }
    }.leave()
  }

  func end() { ended.signal(all: true) { $0 = true } }
}

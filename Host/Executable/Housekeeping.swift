import Application
import Domain
import Kernel
import PluginRuntime

/// Looks around once a second: takes the crash signals back from plugins, and asks for a fresh host when too many
/// stopped generations stay mapped.
final class Housekeeping: Sendable {
  private static let interval = Duration.seconds(1)
  /// After a hand-over that failed.
  private static let pause = Duration.seconds(60)

  private let handOver: HandOver
  private let automations: Automations
  private let log: any LogSink
  private let retained: Int
  private let ended = Monitor(false)

  init(_ handOver: HandOver, automations: Automations, log: any LogSink, _ retained: Int) {
    self.handOver = handOver
    self.automations = automations
    self.log = log
    self.retained = retained
  }

  func start() {
    OSThread("housekeeping") {
      var wait = Housekeeping.interval
      while self.ended.wait(until: .now + wait, { $0 ? true : nil }) == nil { wait = self.look() }
    }.leave()
  }

  func end() { ended.signal(all: true) { $0 = true } }

  private func look() -> Duration {
    let taken = CrashPage.rearm()
    if taken > 0 {
      log.log(
        .error, "crashes", "a plugin caught signals that tell who crashes: they were taken back",
        ["signals": .integer(Int64(taken))])
    }
    let used = automations.entered.count + automations.retiring.count
    // A canary does not survive a hand-over: it gets time for its verdict, though not without bound.
    let bound = automations.canaries.isEmpty ? retained : 2 * retained
    guard LoadPlugin.mappedImages - used > bound else { return Housekeeping.interval }
    do throws(Problem) {
      _ = try handOver.handOver("\(LoadPlugin.mappedImages - used) stopped generations are mapped")
      return Housekeeping.interval
    } catch {
      log.log(.error, "host", "a fresh host is due: \(error.detail)", ["code": .string(error.code)])
      return Housekeeping.pause
    }
  }
}

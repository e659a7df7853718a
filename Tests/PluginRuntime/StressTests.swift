import Application
import Audit
import Domain
import Kernel
import Patience
import Synchronization
import Telemetry
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  /// Everything at once, for the sanitizers to watch and for what must hold all the same.
  @Suite struct Stress {
    /// What a test's threads share.
    private final class Run: Sendable {
      let isOver = Atomic<Bool>(false)
      let requests = Atomic<Int>(0)
      let surprises = Monitor<[String]>([])
      private let running = Monitor((calling: 0, changing: 0))

      func note(_ surprise: String) { surprises.withLock { if $0.count < 20 { $0.append(surprise) } } }

      /// Runs `turn` again and again until the end, on a thread of its own. Changes go on until every call has ended: some
      /// calls end with a change only.
      func start(changes: Bool = false, _ turn: @escaping @Sendable (Int) throws(Problem) -> Void) {
        running.withLock { if changes { $0.changing += 1 } else { $0.calling += 1 } }
        OSThread("stress", stackBytes: 2 << 20) {
          var number = 0
          while !self.isOver.load(ordering: .relaxed)
            || changes && self.running.withLock({ $0.calling > 0 })
          {
            do throws(Problem) { try turn(number) } catch {
              self.note("\(error.status) \(error.code): \(error.detail)")
            }
            number += 1
          }
          self.running.signal(all: true) { if changes { $0.changing -= 1 } else { $0.calling -= 1 } }
        }.leave()
      }

      /// Lets them run so long; false when some do not end.
      func last(_ duration: Duration) -> Bool {
        let pause = Monitor(0)
        _ = pause.wait(until: .now + duration) { _ in nil as Int? }
        isOver.store(true, ordering: .relaxed)
        return running.eventually(minutes: 2) { $0 == (0, 0) ? true : nil } ?? false
      }
    }

    private func issue(_ site: StressSite) throws(Problem) -> IssuedKey {
      try site.keys.issue(.init(principal: "agent", name: "k", scopes: ["stress:*"])).key
    }

    @Test func anInlineHandlerThatOverrunsIsAnsweredForAtItsDeadline() throws {
      let site = try StressSite()
      _ = try site.change.change(.init(.load, from: .path(StressSite.first)))
      let key = try issue(site).text
      let plugin = try #require(site.automations.live("stress")?.generation.plugin)
      // The handler goes on until its request is over, and fails unless its answer is refused as stale.
      let late = try #require(site.ask(.get, "/stress/overruns", key: key))
      #expect(late.status == 504 && late.body.contains("handler.timeout"))
      #expect(plugin.callsInside == 0)
      #expect(site.ask(.get, "/stress/now", key: key)?.status == 200)
      #expect(site.end())
    }

    @Test func everythingAtOnceHolds() throws {
      let site = try StressSite()
      let run = Run()
      let before = try site.audit.verify().rows
      _ = try site.change.change(.init(.load, from: .path(StressSite.first)))
      let key = try issue(site).text

      // Callers. While nothing is loaded the host says 404 or 503; a drain answers 503 in a handler's place.
      let calls: [(HTTPMethod, String, Set<Int>)] = [
        (.get, "/stress/now", [200]), (.get, "/stress/work", [200]), (.get, "/stress/later", [200]),
        (.post, "/stress/things", [200]), (.get, "/stress/things", [200]), (.get, "/stress/never", [504]),
        (.get, "/stress/now", [200]), (.get, "/stress/later", [200]), (.get, "/stress/work", [200]),
        (.get, "/stress/overruns", [504]), (.get, "/stress/until-cancelled", []),
      ]
      for caller in 0..<5 {
        run.start { turn in
          let (method, path, expected) = calls[
            (turn + caller) % (caller == 0 ? calls.count : calls.count - 1)]
          run.requests.add(1, ordering: .relaxed)
          guard let answer = site.ask(method, path, key: key) else { return run.note("\(path): no answer") }
          if !expected.contains(answer.status), answer.status != 404, answer.status != 503 {
            run.note("\(path): \(answer.status) \(answer.body)")
          }
        }
      }

      // Changes, and one in between that leaves nothing to call for a moment.
      run.start(changes: true) { turn throws(Problem) in
        do throws(Problem) {
          switch turn % 8 {
          case 3, 5: _ = try site.change.rollBack("stress")
          case 7:
            _ = try site.change.unload("stress")
            _ = try site.change.change(.init(.load, from: .path(StressSite.first)))
          default:
            let file = turn % 2 == 0 ? StressSite.second : StressSite.first
            _ = try site.change.change(.init(.reload("stress"), from: .path(file)))
          }
        } catch {
          // No earlier file is kept just now, or too many generations drain: refusals that are meant.
          guard error.status == 404 || error.status == 503 || error.status == 409 else { throw error }
        }
      }

      // Keys: one that was revoked is refused from then on, whatever else happens to it.
      run.start { _ throws(Problem) in
        let mine = try issue(site)
        let successor = Monitor<String?>(nil)
        let rotation = OSThread("rotation") {
          // Refused when the revocation came first.
          if let next = try? site.keys.rotate(mine.id, grace: .seconds(60)) {
            successor.withLock { $0 = next.key.text }
          }
        }
        _ = try site.keys.revoke(mine.id)
        rotation.join()
        run.requests.add(1, ordering: .relaxed)
        if let answer = site.ask(.get, "/stress/now", key: mine.text),
          answer.status == 401 || answer.status == 404
        {
        } else {
          run.note("a revoked key is let in")
        }
        guard let next = successor.withLock({ $0 }) else { return }
        run.requests.add(1, ordering: .relaxed)
        if site.ask(.get, "/stress/now", key: next)?.status == 401 { run.note("a successor is refused") }
      }
      run.start { _ throws(Problem) in
        try site.keys.storeUses(since: Timestamp(microseconds: 0))
        _ = try site.keys.page(after: nil, limit: 50)
      }

      // Those who look.
      run.start { turn throws(Problem) in
        _ = try site.audit.read(after: Int64(turn % 500), limit: 50)
        _ = site.meter.exposition()
        site.log.level = turn % 2 == 0 ? .debug : .warning
        _ = (site.workers.threads, site.automations.retiring.count)
        _ = site.automations.live.map { ($0.generation.requestsInside, $0.generation.plugin.callsInside) }
      }

      #expect(run.last(.seconds(System.isSanitized ? 8 : 4)))
      #expect(run.surprises.withLock { $0 } == [])
      // Each request has its one row, in a chain that holds.
      let rows = before + Int64(run.requests.load(ordering: .relaxed))
      #expect(eventually { (try? site.audit.verify().rows) == rows })
      #expect(site.end())
      #expect(site.automations.stuck.isEmpty)
    }
  }
}

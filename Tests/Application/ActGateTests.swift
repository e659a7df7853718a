import Application
import Kernel
import Patience
import Testing

struct ActGateTests {
  @Test func nobodyGetsInWhileItIsFrozen() throws {
    let gate = ActGate()
    try gate.enter()
    gate.leave()
    #expect(gate.freeze(until: .now))
    let refused = #expect(throws: Problem.self) { try gate.enter() }
    #expect(refused?.code == "host.handing_over" && refused?.status == 503)
    gate.open()
    try gate.enter()
    gate.leave()
  }

  @Test func itIsOpenAgainWhenSomebodyStaysInside() throws {
    let gate = ActGate()
    try gate.enter()
    #expect(!gate.freeze(until: .now + .milliseconds(5)))
    try gate.enter()
    gate.leave()
    gate.leave()
  }

  @Test func itWaitsForThoseInside() throws {
    let gate = ActGate()
    try gate.enter()
    let thread = OSThread("act") { gate.leave() }
    #expect(eventually { gate.freeze(until: .now + .milliseconds(100)) })
    thread.join()
  }
}

struct ConfigurationChangeTests {
  private func change(_ edit: (inout HostConfiguration) -> Void) -> ConfigurationChange {
    var next = HostConfiguration()
    edit(&next)
    return ConfigurationChange(from: HostConfiguration(), to: next)
  }

  @Test func everySettingSaysWhatItTakes() {
    let level = change { $0.logLevel = .debug }
    #expect(level.live == ["log.level"] && !level.needsHandOver)
    let limit = change { $0.limitRequests = 7 }
    #expect(limit.handOver == ["limits.requests"] && limit.needsHandOver)
    let port = change { $0.publicListener.port = 1 }
    #expect(port.restart == ["public.port"] && !port.needsHandOver)
    let nothing = change { _ in }
    #expect(nothing.live.isEmpty && nothing.restart.isEmpty && !nothing.needsHandOver)
  }

  @Test func certificatesMayBeOthersUnderTheSameName() {
    var tls = HostConfiguration()
    tls.publicListener.tlsCertificate = "a.pem"
    tls.publicListener.tlsKey = "a.key"
    #expect(ConfigurationChange(from: tls, to: tls).needsHandOver)
  }
}

import Kernel
import Testing

/// `council config check`: what it tries without serving.
@Suite struct ConfigurationTrialTests {
  private func check(
    _ settings: String = "", home: String = Fixtures.home(), port: Int = 0, _ more: [String] = []
  ) -> CouncilCommand {
    let file = Fixtures.file(Array(settings.utf8), "council.yaml")
    return CouncilCommand(
      ["config", "check", file, "--json", "--home", home, "--port", "\(port)", "--admin-port", "0"] + more)
  }

  private func expect(_ run: CouncilCommand, _ code: String, _ detail: String) {
    // As serve ends: 5 where the host's own folder is at fault.
    let exit: Int32 = code.hasPrefix("home.") ? 5 : 1
    #expect(run.code == exit && run.problem?["code"]?.string == code, "\(run.said)")
    #expect(run.problem?["detail"]?.string?.contains(detail) == true, "\(run.said)")
  }

  @Test func whatCanServePassesAndNothingIsLeftBehind() {
    let certificates = Certificates()
    let home = Fixtures.home()
    let run = check(certificates.settings(), home: home, ["--load", HostUnderTest.hello])
    #expect(run.code == 0, "\(run.said)")
    let tried = run.json?["tried"]?.array ?? []
    #expect(
      tried.compactMap { $0["what"]?.string } == [
        "home", "public address", "public TLS", "admin address", "plugin",
      ], "\(run.said)")
    #expect(!System.exists(home))
  }

  @Test func anAddressInUseNamesItsHolder() throws {
    let host = try HostUnderTest()
    expect(check(port: host.port), "http.listen", "council (process \(host.process.pid)) listens there")
    let file = Fixtures.file(Array("public:\n  port: \(host.port)\n".utf8), "council.yaml")
    #expect(CouncilCommand(["config", "check", file, "--file-only"]).code == 0)
    #expect(host.stop() == 0)
  }

  @Test func anAddressThatThisMachineHasNotIsFound() {
    // Of TEST-NET-1 (RFC 5737).
    expect(check("public:\n  address: 192.0.2.1\n"), "http.listen", "192.0.2.1")
    expect(check("public:\n  address: localhost\n"), "http.listen", "not an IPv4 or IPv6 address")
  }

  @Test func aHomeThatCannotBeUsedIsFound() throws {
    let host = try HostUnderTest()
    expect(check(home: host.home), "home.unavailable", "another host uses")
    #expect(host.stop() == 0)
    #expect(check(home: host.home).code == 0)
    let file = Fixtures.file([], "file")
    expect(check(home: file), "home.unavailable", "is no folder")
    expect(check(home: file + "/below"), "home.unavailable", "cannot be reached")
    expect(check(home: "/proc/home"), "home.unavailable", "cannot be written")
  }

  @Test func aHomeOnAFullDiskIsFound() throws {
    let disk = try #require(TinyDisk(), "no right to mount")
    disk.fill()
    expect(check(home: disk.path), "home.unavailable", "takes nothing")
    disk.empty()
    #expect(check(home: disk.path).code == 0)
    withExtendedLifetime(disk) {}
  }

  @Test func aPluginThatIsMissingOrNoneIsFound() {
    expect(check("", ["--load", "/no/such.so"]), "plugin.file.not_found", "/no/such.so")
    expect(
      check("", ["--load", Fixtures.file(Array("text".utf8), "text.so")]), "plugin.elf.not_elf", "text.so")
  }

  @Test func everyFaultIsListed() {
    let run = check("public:\n  address: 192.0.2.1\n", home: "/proc/home", ["--load", "/no/such.so"])
    #expect(run.problem?["errors"]?.array?.count == 3, "\(run.said)")
  }
}

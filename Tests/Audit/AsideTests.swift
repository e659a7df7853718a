import Application
import Cryptography
import Kernel
import Testing

@testable import Audit

/// Rows of a host that has handed over.
struct AsideTests {
  private func trail(_ folder: TestFolder) throws -> JournalAuditTrail {
    try JournalAuditTrail(
      folder: folder.path, digests: OpenSSLDigests(), log: CollectedLog(), limits: testLimits())
  }

  private func act(_ trail: JournalAuditTrail, _ name: String) throws {
    try trail.record(
      AdminAct(
        time: .now, principal: "p", key: "k", action: name, target: "t", status: 200, requestID: "r",
        details: ["say": "ä\"\n"]))
  }

  private func actions(_ trail: JournalAuditTrail) throws -> [String] {
    try trail.read(after: 0, limit: 1000).compactMap { $0["action"]?.string }
  }

  @Test func twoProcessesLeaveOneChain() throws {
    let folder = TestFolder()
    let old = try trail(folder)
    try act(old, "one")
    try old.moveAside()
    let new = try trail(folder)
    try act(new, "two")
    try act(old, "three")
    #expect(try new.absorbAsides() == 0, "its host is still there")
    #expect(throws: Problem.self) { try old.verify() }
    #expect(try new.verify().rows == 3)
    #expect(old.close())
    withExtendedLifetime(old) {}
    #expect(try actions(new) == ["one", "audit.aside", "two"])
    new.close()
    let disk = try DiskAuditFolder(folder.path)
    for name in try disk.names() where name.hasPrefix(Aside.prefix) { try disk.removeAside(name) }
  }

  @Test func rowsAreTakenInWhenTheirHostIsGone() throws {
    let folder = TestFolder()
    let new: JournalAuditTrail
    do {
      let old = try trail(folder)
      try act(old, "one")
      try old.moveAside()
      new = try trail(folder)
      for number in 1...50 { try act(old, "old \(number)") }
      #expect(old.close())
    }
    #expect(try new.absorbAsides() == 50)
    #expect(try new.absorbAsides() == 0)
    let rows = try new.read(after: 0, limit: 1000)
    #expect(try new.verify().rows == 53 && rows.count == 53)
    let taken = rows.filter { $0["aside"] != nil }
    #expect(taken.compactMap { $0["action"]?.string } == (1...50).map { "old \($0)" })
    #expect(taken.allSatisfy { $0["details"]?["say"]?.string == "ä\"\n" && $0["hash"] != nil })
    #expect(rows.last?["action"]?.string == "audit.absorbed")
    new.close()
    let again = try trail(folder)
    #expect(try again.verify().rows == 53)
    again.close()
  }

  @Test func theTrailComesBackWhenNobodyTookIt() throws {
    let folder = TestFolder()
    let only = try trail(folder)
    try act(only, "one")
    try only.moveAside()
    try act(only, "two")
    try only.moveBack()
    try only.moveBack()
    try act(only, "three")
    #expect(try actions(only) == ["one", "audit.aside", "two", "audit.absorbed", "three"])
    #expect(try only.verify().rows == 5)
    only.close()
  }

  /// Who can write to the folder and not read its key cannot add rows this way either.
  @Test func rowsThatSomebodyElseSetAsideAreNotTakenIn() throws {
    let (folder, foreign) = (TestFolder(), TestFolder())
    let forger = try trail(foreign)
    try act(forger, "forged")
    forger.close()
    let new = try trail(folder)
    try act(new, "one")
    let disk = try DiskAuditFolder(folder.path)
    let name = Aside.prefix + "\(UUIDv7.make())"
    let aside = try disk.aside(name, creating: false)
    for file in foreign.names {
      try aside.open(file, creating: true).write(foreign.read(file).span, at: 0)
    }
    #expect(try new.absorbAsides() == 0)
    #expect(try actions(new) == ["one", "audit.aside_broken"])
    new.close()
    try disk.removeAside("broken-" + name)
  }

  @Test func whatIsLeftOfAnAsideThatWasTakenInIsNotTakenForABrokenOne() throws {
    let folder = TestFolder()
    let only = try trail(folder)
    let disk = try DiskAuditFolder(folder.path)
    let name = Aside.gone + Aside.prefix + "\(UUIDv7.make())"
    try disk.aside(name, creating: false).open("head", creating: true).write("x".utf8.span, at: 0)
    #expect(try only.absorbAsides() == 0)
    #expect(try !disk.names().contains(name))
    #expect(try actions(only).isEmpty)
    only.close()
  }

  @Test func anAsideThatWasTouchedIsNamed() throws {
    let folder = TestFolder()
    let new: JournalAuditTrail
    do {
      let old = try trail(folder)
      try old.moveAside()
      new = try trail(folder)
      for name in ["first", "second", "third"] { try act(old, name) }
      #expect(old.close())
    }
    let disk = try DiskAuditFolder(folder.path)
    let name = try #require(try disk.names().first { $0.hasPrefix(Aside.prefix) })
    let aside = try disk.aside(name, creating: false)
    let file = try aside.open(
      try #require(try aside.names().first { $0.hasSuffix(".jsonl") }), creating: false)
    let all = Arena()
    _ = try file.read(try file.size, at: 0, into: all)
    let text = String(all.span(all.all))
    let place = try #require(text.utf8.firstRange(of: "second".utf8)?.lowerBound)
    try file.write("sEcond".utf8.span, at: text.utf8.distance(from: text.startIndex, to: place))
    _ = try new.absorbAsides()
    #expect(try new.read(after: 0, limit: 100).last?["action"]?.string == "audit.aside_broken")
    #expect(try disk.names().contains("broken-" + name))
    _ = try new.verify()
    new.close()
    try disk.removeAside("broken-" + name)
  }
}

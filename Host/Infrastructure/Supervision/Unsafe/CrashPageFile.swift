import CCrashPage
import Domain
import Glibc
import Kernel

/// The crash page of one host, as its supervisor sees it.
@safe
final class CrashPageFile: Sendable {
  let descriptor: Int32

  init?() {
    descriptor = ccrash_make()
    if descriptor < 0 { return nil }
  }

  deinit { close(descriptor) }

  /// What the page tells of a process that is gone. It is mapped for this alone: a supervisor has no memory to spare.
  func evidence(_ ending: CrashEvidence.Ending) -> CrashEvidence {
    guard let page = unsafe ccrash_map(descriptor) else {
      return CrashEvidence(ending: ending, confession: nil, inside: [], known: [])
    }
    // Safe, here and below: the page is mapped until this returns, the C side bounds every index, and what a dead process
    // may have written anything into is taken for numbers and for text of fixed length only.
    defer { unsafe ccrash_unmap(page) }
    let reader = unsafe Reader(page)
    var signal: Int32?
    if case .signal(let number, _) = ending { signal = number }
    var evidence = CrashEvidence(
      ending: ending, confession: signal.flatMap { reader.confession($0) }, inside: reader.inside(),
      known: reader.known(), held: reader.inside { $0.held != 0 })
    let closed = unsafe ccrash_closed_descriptor(page)
    if closed > 0 { evidence.reason = "descriptor \(closed) of the host was closed" }
    return evidence
  }
}

@safe
private struct Reader {
  private let page: OpaquePointer

  init(_ page: OpaquePointer) { unsafe self.page = page }

  // Safe, all of these: see CrashPageFile.evidence.

  /// Text that fills its place or ends with a NUL.
  private func text<Characters>(_ place: UnsafePointer<Characters>, _ room: Int) -> String {
    let bytes = unsafe UnsafeRawBufferPointer(start: place, count: room)
    return unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  private func text<Value>(of value: Value) -> String {
    unsafe withUnsafePointer(to: value) { unsafe text($0, MemoryLayout<Value>.size) }
  }

  private func place(_ number: UInt64, _ call: CrashPage.Call) -> CrashPlace? {
    guard let entry = unsafe ccrash_entry_at(page, UInt32(truncatingIfNeeded: number)) else { return nil }
    return CrashPlace(
      automation: text(of: unsafe entry.pointee.automation), generation: Int(unsafe entry.pointee.generation),
      sha256: text(of: unsafe entry.pointee.sha256), call: call.name)
  }

  private func place(of slot: ccrash_slot) -> CrashPlace? {
    guard let call = CrashPage.Call(rawValue: UInt32(slot.inside & 0xFF)),
      var place = place(slot.inside >> 32, call)
    else { return nil }
    if call == .handle || call == .handleInline {
      place.route = routeName(UInt32(slot.inside >> 32), UInt32(slot.inside >> 8 & 0xFFFFFF))
    }
    if slot.request.0 != 0 { place.requestID = text(of: slot.request) }
    return place
  }

  private func routeName(_ number: UInt32, _ route: UInt32) -> String? {
    guard let entry = unsafe ccrash_entry_at(page, number),
      let name = unsafe ccrash_route_at(page, entry, route)
    else { return nil }
    let said = unsafe text(name, 64)
    return said.isEmpty ? nil : said
  }

  func inside(_ isWanted: (ccrash_slot) -> Bool = { _ in true }) -> [CrashPlace] {
    (0..<UInt32(CCRASH_SLOTS)).compactMap { number in
      guard let slot = unsafe ccrash_slot_at(page, number), unsafe slot.pointee.inside != 0,
        isWanted(unsafe slot.pointee)
      else { return nil }
      return unsafe place(of: slot.pointee)
    }
  }

  func known() -> [CrashPlace] {
    var all: [CrashPlace] = []
    // They are numbered without gaps.
    while let next = place(UInt64(all.count + 1), .ownThread) { all.append(next) }
    return all
  }

  /// The first report of the signal that ended the process.
  func confession(_ signal: Int32) -> CrashEvidence.Confession? {
    for number in 0..<UInt32(CCRASH_REPORTS) {
      guard let report = unsafe ccrash_report_at(page, number), unsafe report.pointee.signal == signal else {
        continue
      }
      let slot = unsafe report.pointee.slot
      return CrashEvidence.Confession(
        signal: signal, address: unsafe report.pointee.address,
        time: Timestamp(microseconds: unsafe report.pointee.time_ns / 1000), place: place(of: slot),
        seen: slot.seen == 0 ? nil : place(slot.seen, .ownThread), frames: unsafe frames(report))
    }
    return nil
  }

  private func frames(_ report: UnsafePointer<ccrash_report>) -> [(module: String, offset: UInt64)] {
    var all: [(module: String, offset: UInt64)] = []
    while let frame = unsafe ccrash_frame_at(report, UInt32(all.count)) {
      all.append((text(of: unsafe frame.pointee.module), unsafe frame.pointee.offset))
    }
    return all
  }
}

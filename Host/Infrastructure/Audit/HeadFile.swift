import Application
import Kernel

/// How far the trail reached, kept beside it, so that rows missing at either end are noticed.
///
/// The file `head` has two slots that are written in turn and count the writes; a write that a crash tore leaves
/// the other one. Each is signed with the trail's key.
struct Head: Equatable {
  /// The oldest row that is kept, and the newest.
  var first: Int64
  var seq: Int64
  var hash: Digest256
}

final class HeadFile {
  private static let slotBytes = 512

  private let file: any AuditFile
  private let digests: any Digests
  private let key: [UInt8]
  /// How often the head was written.
  private var turn: Int64 = 0

  init(_ folder: any AuditFolder, _ digests: any Digests, key: [UInt8]) throws(AuditFileError) {
    file = try folder.open("head", creating: true)
    self.digests = digests
    self.key = key
  }

  /// The newer of the two slots that are whole; nil when none is.
  func read() throws(AuditFileError) -> Head? {
    let all = Arena(capacity: 2 * HeadFile.slotBytes)
    _ = try file.read(2 * HeadFile.slotBytes, at: 0, into: all)
    var newest: (head: Head, turn: Int64)?
    for slot in 0..<2 where all.count >= (slot + 1) * HeadFile.slotBytes {
      let range = ByteRange(offset: slot * HeadFile.slotBytes, count: HeadFile.slotBytes)
      if let found = parse(all.span(range)), found.turn > newest?.turn ?? -1 { newest = found }
    }
    turn = newest?.turn ?? 0
    return newest?.head
  }

  /// Whether there is anything in the file: a head that cannot be read is not the same as none.
  var isEmpty: Bool {
    get throws(AuditFileError) { try file.size == 0 }
  }

  func write(_ head: Head) throws(AuditFileError) {
    let next = turn + 1
    let signed = HeadFile.signedText(head, next)
    var slot = Array("\(signed),\"mac\":\"\(sign(signed).hex)\"}".utf8)
    while slot.count < HeadFile.slotBytes - 1 { slot.append(UInt8(ascii: " ")) }
    slot.append(0x0A)
    // A write that fails is repeated in the same slot: the other one is whole.
    try file.write(slot.span, at: Int(next % 2) * HeadFile.slotBytes)
    turn = next
  }

  func sync() throws(AuditFileError) { try file.sync() }

  private func parse(_ slot: Span<UInt8>) -> (head: Head, turn: Int64)? {
    guard let value = try? JSONValue.parse(slot), let turn = value["turn"]?.integer,
      let first = value["first"]?.integer,
      let seq = value["seq"]?.integer, let hash = value["hash"]?.string.flatMap({ Digest256(hex: $0) }),
      let mac = value["mac"]?.string.flatMap({ Digest256(hex: $0) })
    else { return nil }
    let head = Head(first: first, seq: seq, hash: hash)
    return sign(HeadFile.signedText(head, turn)) == mac ? (head, turn) : nil
  }

  private static func signedText(_ head: Head, _ turn: Int64) -> String {
    "{\"turn\":\(turn),\"first\":\(head.first),\"seq\":\(head.seq),\"hash\":\"\(head.hash.hex)\""
  }

  private func sign(_ text: String) -> Digest256 {
    let key = key
    return digests.hmacSHA256(key: key.span, text.utf8.span)
  }
}

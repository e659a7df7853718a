import Application
import Kernel

/// An answer as bytes in shared memory: status, whether something was written on the way to it and whether the body is a
/// stream; count of headers, of their bytes and of the body; two words for each header; names and values; the body, none of a
/// stream. Written by the runner: the host copies it and believes nothing.
enum AnswerImage {
  private static let prefixBytes = 16
  /// Beside the status.
  private static let hasWritten: UInt32 = 1 << 16
  private static let isStream: UInt32 = 1 << 17
  /// The plugin's own, and what the runner's code adds to a problem.
  private static let maxHeaders = AnswerRules.maxHeaders + 4
  private static let maxHeaderBytes = AnswerRules.maxHeaderBytes + 1024

  static func count(_ exchange: Exchange) -> Int {
    exchange.answerHeaders.reduce(prefixBytes) { $0 + 8 + Int($1.name.count) + Int($1.value.count) }
      + exchange.answerBody.count
  }

  static func write(_ exchange: Exchange, to board: SharedBoard, at offset: Int) {
    let head = exchange.answerHead
    let bodyCount = exchange.answerBody.count
    var words = offset
    var bytes = offset + prefixBytes + exchange.answerHeaders.count * 8
    let headCount = exchange.answerHeaders.reduce(0) { $0 + Int($1.name.count) + Int($1.value.count) }
    board.write32(
      UInt32(exchange.status) | (exchange.hasWritten ? hasWritten : 0)
        | (exchange.isStreaming ? isStream : 0),
      at: &words)
    board.write32(UInt32(exchange.answerHeaders.count), at: &words)
    board.write32(UInt32(headCount), at: &words)
    board.write32(UInt32(bodyCount), at: &words)
    for header in exchange.answerHeaders {
      board.write32(header.name.count, at: &words)
      board.write32(header.value.count, at: &words)
      board.write(head.span(header.name), at: &bytes)
      board.write(head.span(header.value), at: &bytes)
    }
    let body = exchange.answerBody
    board.write(body.span(body.all), at: &bytes)
  }

  /// Copies an answer of `count` bytes and checks it as one of a plugin: nil when it breaks a rule of council.h. The
  /// body stays where it is: its bytes mean nothing to the host.
  static func read(_ board: SharedBoard, _ offset: Int, _ count: Int, _ scratch: Arena) -> Parts? {
    guard count >= prefixBytes else { return nil }
    scratch.removeAll()
    _ = board.copy(offset, prefixBytes, to: scratch)
    let first = word(scratch, 0)
    let status = Int(first & ~(hasWritten | isStream))
    let streams = first & isStream != 0
    let headers = Int(word(scratch, 4))
    let headCount = Int(word(scratch, 8))
    let bodyCount = Int(word(scratch, 12))
    guard (200...599).contains(status), headers <= maxHeaders, headCount <= maxHeaderBytes,
      bodyCount <= AnswerRules.maxBodyBytes, bodyCount == 0 || AnswerRules.mayHaveBody(status),
      !streams || bodyCount == 0 && AnswerRules.mayHaveBody(status),
      prefixBytes + headers * 8 + headCount + bodyCount == count
    else { return nil }
    _ = board.copy(offset + prefixBytes, headers * 8 + headCount, to: scratch)
    var fields: [Field] = []
    fields.reserveCapacity(headers)
    var start = prefixBytes + headers * 8
    for index in 0..<headers {
      let nameCount = Int(word(scratch, prefixBytes + index * 8))
      let valueCount = Int(word(scratch, prefixBytes + index * 8 + 4))
      guard nameCount + valueCount <= scratch.count - start else { return nil }
      let field = Field(
        name: ByteRange(offset: start, count: nameCount),
        value: ByteRange(offset: start + nameCount, count: valueCount))
      guard AnswerRules.isToken(scratch.span(field.name)), AnswerRules.isValue(scratch.span(field.value)),
        !AnswerRules.isHostOwned(scratch.span(field.name))
      else { return nil }
      fields.append(field)
      start += nameCount + valueCount
    }
    return Parts(
      status: status, hasWritten: first & hasWritten != 0, isStream: streams, headers: fields,
      bodyOffset: offset + count - bodyCount, bodyCount: bodyCount)
  }

  struct Parts {
    var status: Int
    var hasWritten: Bool
    var isStream: Bool
    /// Places in the scratch.
    var headers: [Field]
    var bodyOffset: Int
    var bodyCount: Int
  }

  /// Writes what ``read(_:_:_:_:)`` found into an exchange that the caller has claimed.
  static func answer(_ exchange: Exchange, _ parts: Parts, _ board: SharedBoard, _ scratch: Arena) {
    exchange.status = parts.status
    exchange.hasWritten = parts.hasWritten
    for field in parts.headers { exchange.addHeader(scratch.span(field.name), scratch.span(field.value)) }
    _ = board.copy(parts.bodyOffset, parts.bodyCount, to: exchange.answerBody)
  }
}

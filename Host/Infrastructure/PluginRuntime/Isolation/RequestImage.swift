import Application
import Domain
import Kernel

/// A request as bytes in shared memory: what council.http/1 may read of it, and nothing else. What proves who calls
/// (Authorization, X-API-Key) never leaves the host.
///
/// 32-bit words first: method and whether it is a dry run, counts of head and body, counts of headers, parameters and query, five ranges of the
/// head; then four words for each field, the head, the body. Written by the host, whom the runner trusts; a runner whose
/// plugin wrote over it may still not crash on it, for the call of somebody else could be in the next place.
enum RequestImage {
  private static let prefixWords = 16
  /// Beside the number of the method.
  private static let dryRun: UInt32 = 1 << 8
  private static let methods: [HTTPMethod] = [.get, .head, .post, .put, .patch, .delete, .options]

  /// How long the image of a request is.
  static func count(_ exchange: Exchange) -> Int {
    var head = 0
    var fields = 0
    for field in exchange.headers where !isWithheld(field, exchange) { add(field, &head, &fields) }
    for field in exchange.parameters { add(field, &head, &fields) }
    for field in exchange.query { add(field, &head, &fields) }
    head += singles(exchange)
    return prefixWords * 4 + fields * 16 + head + exchange.body.count
  }

  private static func add(_ field: Field, _ head: inout Int, _ fields: inout Int) {
    head += Int(field.name.count) + Int(field.value.count)
    fields += 1
  }

  private static func singles(_ exchange: Exchange) -> Int {
    Int(exchange.path.count) + Int(exchange.rawQuery.count) + Int(exchange.requestID.count)
      + Int(exchange.traceparent.count) + Int(exchange.principal.count)
  }

  private static func isWithheld(_ field: Field, _ exchange: Exchange) -> Bool {
    let head = exchange.head
    return RequestReading.isWithheld(head.span(field.name))
  }

  /// Writes the image where there is room for ``count(_:)``. [event]
  static func write(_ exchange: Exchange, to board: SharedBoard, at offset: Int) {
    let source = exchange.head
    var headers = 0
    var head = singles(exchange)
    for field in exchange.headers where !isWithheld(field, exchange) { add(field, &head, &headers) }
    var fields = headers
    for field in exchange.parameters { add(field, &head, &fields) }
    for field in exchange.query { add(field, &head, &fields) }

    var words = offset
    var bytes = offset + prefixWords * 4 + fields * 16
    let start = bytes
    board.write32(
      UInt32(methods.firstIndex(of: exchange.method) ?? 0) | (exchange.isDryRun ? dryRun : 0), at: &words)
    board.write32(UInt32(head), at: &words)
    board.write32(UInt32(exchange.body.count), at: &words)
    board.write32(UInt32(headers), at: &words)
    board.write32(UInt32(exchange.parameters.count), at: &words)
    board.write32(UInt32(exchange.query.count), at: &words)
    func put(_ range: ByteRange) {
      board.write32(UInt32(bytes - start), at: &words)
      board.write32(range.count, at: &words)
      board.write(source.span(range), at: &bytes)
    }
    func put(_ field: Field) {
      put(field.name)
      put(field.value)
    }
    put(exchange.path)
    put(exchange.rawQuery)
    put(exchange.requestID)
    put(exchange.traceparent)
    put(exchange.principal)
    for field in exchange.headers where !isWithheld(field, exchange) { put(field) }
    for field in exchange.parameters { put(field) }
    for field in exchange.query { put(field) }
    let body = exchange.body
    board.write(body.span(body.all), at: &bytes)
  }

  /// Reads an image into an exchange that was reset; false when it makes no sense.
  static func read(
    _ board: SharedBoard, _ offset: Int, _ count: Int, into exchange: Exchange, _ scratch: Arena
  )
    -> Bool
  {
    guard count >= prefixWords * 4 else { return false }
    scratch.removeAll()
    _ = board.copy(offset, prefixWords * 4, to: scratch)
    var prefix = (0..<prefixWords).map { Int(word(scratch, $0 * 4)) }
    let isDryRun = prefix[0] & Int(dryRun) != 0
    prefix[0] &= ~Int(dryRun)
    let (headCount, bodyCount) = (prefix[1], prefix[2])
    let fields = prefix[3] + prefix[4] + prefix[5]
    guard methods.indices.contains(prefix[0]),
      prefixWords * 4 + fields * 16 + headCount + bodyCount == count
    else { return false }
    scratch.removeAll()
    _ = board.copy(offset + prefixWords * 4, fields * 16, to: scratch)
    let head = board.copy(offset + prefixWords * 4 + fields * 16, headCount, to: exchange.head)
    _ = board.copy(offset + count - bodyCount, bodyCount, to: exchange.body)
    exchange.method = methods[prefix[0]]
    exchange.isDryRun = isDryRun
    var isSound = true
    func range(_ start: Int, _ length: Int) -> ByteRange {
      guard start <= headCount, length <= headCount - start else {
        isSound = false
        return .empty
      }
      return ByteRange(offset: head.start + start, count: length)
    }
    exchange.path = range(prefix[6], prefix[7])
    exchange.rawQuery = range(prefix[8], prefix[9])
    exchange.requestID = range(prefix[10], prefix[11])
    exchange.traceparent = range(prefix[12], prefix[13])
    exchange.principal = range(prefix[14], prefix[15])
    func field(_ number: Int) -> Field {
      let at = number * 16
      return Field(
        name: range(Int(word(scratch, at)), Int(word(scratch, at + 4))),
        value: range(Int(word(scratch, at + 8)), Int(word(scratch, at + 12))))
    }
    for number in 0..<prefix[3] { exchange.headers.append(field(number)) }
    for number in prefix[3]..<prefix[3] + prefix[4] { exchange.parameters.append(field(number)) }
    for number in prefix[3] + prefix[4]..<fields { exchange.query.append(field(number)) }
    return isSound
  }
}

/// A little-endian word of bytes that are in an arena.
func word(_ arena: Arena, _ offset: Int) -> UInt32 {
  UInt32(arena[offset]) | UInt32(arena[offset + 1]) << 8 | UInt32(arena[offset + 2])
    << 16
    | UInt32(arena[offset + 3]) << 24
}

package import Kernel
import Domain

/// The words with which a caller makes a write safe: an idempotency key, a confirmation, the wish for a dry run, the version
/// that it expects.
///
/// Each has a header, for clients that can send one, and a name that is a query parameter or a member of a JSON body,
/// for those that cannot (GPT Actions). A route that declares a parameter or member of that name keeps it for itself, and
/// one to which a word means nothing leaves it where it is. What is read is taken out: neither the route's schemas nor its
/// handler see it, in the query or in the body. In a call by name they are arguments beside the route's own.
package struct SafetyWords: Sendable, Equatable {
  package enum Word: CaseIterable, Sendable {
    case key, confirm, dryRun, ifMatch

    /// Of the query parameter and the member.
    package var name: StaticString {
      switch self {
      case .key: "idempotency_key"
      case .confirm: "confirm"
      case .dryRun: "dry_run"
      case .ifMatch: "if_match"
      }
    }

    /// Of the header that says the same; of the dry run, with the preference `dry-run`.
    package var header: StaticString {
      switch self {
      case .key: "Idempotency-Key"
      case .confirm: "X-Confirm"
      case .dryRun: "Prefer"
      case .ifMatch: "If-Match"
      }
    }
  }

  /// Of a word's value, in bytes.
  package static let maxBytes = 255

  /// Which words a place takes: bit by bit, those that the route does not declare there itself.
  package struct Set: Sendable, Equatable {
    private var bits: UInt8

    /// Those that mean something to a route, and that no part of a schema of it names.
    fileprivate init(_ route: RouteDeclaration, undeclaredIn schema: JSONValue?) {
      bits = 0
      for (place, word) in Word.allCases.enumerated()
      where route.heeds(word) && schema?.names(word.name.description) != true {
        bits |= 1 << UInt8(place)
      }
    }

    package static let none = Set(bits: 0)
    private init(bits: UInt8) { self.bits = bits }

    @inline(__always)
    package func holds(_ word: Word) -> Bool {
      switch word {
      case .key: bits & 1 != 0
      case .confirm: bits & 2 != 0
      case .dryRun: bits & 4 != 0
      case .ifMatch: bits & 8 != 0
      }
    }

    package func word(_ name: Span<UInt8>) -> Word? {
      for word in Word.allCases where holds(word) && name.isEqual(to: word.name) { return word }
      return nil
    }
  }

  package let query: Set
  package let body: Set
  private let takesKey: Bool

  init(_ route: RouteDeclaration) {
    takesKey = route.heeds(.key)
    query = Set(route, undeclaredIn: route.querySchema)
    // Without a schema the body is the handler's own affair: it need not be JSON.
    body = route.bodySchema == nil ? .none : Set(route, undeclaredIn: route.bodySchema)
  }
}

extension SafetyWords {
  /// Takes the words out of the headers and the query. [event]
  package func take(from exchange: Exchange) throws(Problem) {
    if exchange.has(.idempotencyKey), takesKey {
      guard exchange.knownCount[KnownHeader.idempotencyKey.rawValue] == 1 else {
        throw SafetyWords.invalidKey("the header Idempotency-Key must come once. Send one key.")
      }
      try set(.key, SafetyWords.unquoted(exchange[.idempotencyKey], in: exchange.head), exchange)
    }
    if exchange.has(.prefer), !exchange.isDryRun {
      // Its name is our own.
      exchange.isDryRun = Preferences.value("dry-run", of: exchange) == ""
    }
    if !exchange.query.isEmpty { try takeFromQuery(of: exchange) }
  }

  /// The token in the header X-Confirm; looked for only where a route wants one. [event]
  package static func takeConfirmation(fromHeadersOf exchange: Exchange) {
    guard exchange.confirmation.isEmpty else { return }
    let head = exchange.head
    for field in exchange.headers where head.span(field.name).isEqual(to: "x-confirm") {
      exchange.confirmation = field.value
      return
    }
  }

  private func takeFromQuery(of exchange: Exchange) throws(Problem) {
    let head = exchange.head
    guard exchange.query.contains(where: { query.word(head.span($0.name)) != nil }) else { return }
    var kept: [Field] = []
    var isKept: [Bool] = []
    for field in exchange.query {
      guard let word = query.word(head.span(field.name)) else {
        kept.append(field)
        isKept.append(true)
        continue
      }
      isKept.append(false)
      switch word {
      case .dryRun:
        let text = head.span(field.value)
        guard text.isEqual(to: "true") || text.isEqual(to: "false") else { throw SafetyWords.invalidDryRun }
        if text.isEqual(to: "true") { exchange.isDryRun = true }
      case .key, .confirm, .ifMatch: try set(word, field.value, exchange)
      }
    }
    exchange.query = kept
    exchange.rawQuery = rest(of: exchange.rawQuery, isKept, in: head)
  }

  /// The query as it came, without the parameters that were taken: they stand in the order of `isKept`.
  private func rest(of raw: ByteRange, _ isKept: [Bool], in head: Arena) -> ByteRange {
    let first = head.count
    var start = raw.start
    var number = 0
    while start < raw.end {
      var end = start
      while end < raw.end, head[end] != UInt8(ascii: "&") { end += 1 }
      if end > start {
        if number < isKept.count, isKept[number] {
          if head.count > first { head.append(UInt8(ascii: "&")) }
          head.copy(ByteRange(offset: start, count: end - start))
        }
        number += 1
      }
      start = end + 1
    }
    return ByteRange(offset: first, count: head.count - first)
  }

  /// Notes a word of the request, wherever it stood: twice is once, unless the two differ.
  func set(_ word: Word, _ value: ByteRange, _ exchange: Exchange) throws(Problem) {
    if word == .ifMatch { return try setIfMatch(value, exchange) }
    let head = exchange.head
    let text = head.span(value)
    var isSound = text.count > 0 && text.count <= SafetyWords.maxBytes
    for index in text.indices where text[index] < 0x20 || text[index] > 0x7E { isSound = false }
    let before = word == .key ? exchange.idempotencyKey : exchange.confirmation
    if !before.isEmpty, !head.span(before).isEqual(to: text) { isSound = false }
    if word == .key {
      guard isSound else {
        throw SafetyWords.invalidKey(
          "an idempotency key is 1 to \(SafetyWords.maxBytes) printable ASCII characters, and one request has one. Send a UUID, the same one when you repeat the call."
        )
      }
      exchange.idempotencyKey = value
    } else {
      guard isSound else { throw SafetyWords.invalidConfirmation }
      exchange.confirmation = value
    }
  }

  /// Becomes the header, which the handler reads. A bare number is the record's `version`.
  private func setIfMatch(_ value: ByteRange, _ exchange: Exchange) throws(Problem) {
    let head = exchange.head
    var isSound = value.count > 0 && Int(value.count) <= SafetyWords.maxBytes
    var isNumber = true
    for place in value.start..<value.end {
      let byte = head[place]
      if byte < 0x20 || byte > 0x7E { isSound = false }
      if byte < UInt8(ascii: "0") || byte > UInt8(ascii: "9") { isNumber = false }
    }
    guard isSound else { throw SafetyWords.invalidIfMatch }
    let start = head.count
    if isNumber { head.append("\"") }
    head.copy(value)
    if isNumber { head.append("\"") }
    let tag = ByteRange(offset: start, count: head.count - start)
    guard exchange.has(.ifMatch) else {
      exchange.headers.append(Field(name: head.append(KnownHeader.ifMatch.name), value: tag))
      exchange.known[KnownHeader.ifMatch.rawValue] = tag
      exchange.knownCount[KnownHeader.ifMatch.rawValue] = 1
      return
    }
    guard head.span(exchange[.ifMatch]).isEqual(to: head.span(tag)) else { throw SafetyWords.invalidIfMatch }
  }

  private static let invalidIfMatch = Problem(
    400, "request.if_match_invalid",
    "if_match is the version that you read, like 3, or its ETag, and says the same as the header If-Match.")

  private static let invalidConfirmation = Problem(
    400, "confirmation.invalid",
    "Nothing was done: the confirmation is no token. Make the call without one; its answer 428 names the token in 'confirm'. Then make exactly that call again with it, once, as text."
  )

  static func notText(_ word: Word) -> Problem {
    switch word {
    case .key: invalidKey("the member 'idempotency_key' is text. Send a UUID in quotes.")
    case .ifMatch: invalidIfMatch
    case .confirm, .dryRun: invalidConfirmation
    }
  }

  static func invalidKey(_ detail: String) -> Problem {
    Problem(400, "idempotency.key_invalid", "Nothing was done: " + detail)
  }

  static let invalidDryRun = Problem(
    400, "dry_run.invalid",
    "Nothing was done: dry_run is true or false, and a member of a body is one of them without quotes. Send the call again with one of them."
  )

  /// The string of a structured field (RFC 8941, section 3.3.3), which the draft wants, or the plain value that most send.
  private static func unquoted(_ value: ByteRange, in head: Arena) -> ByteRange {
    guard value.count >= 2, head[value.start] == UInt8(ascii: "\""), head[value.end - 1] == UInt8(ascii: "\"")
    else { return value }
    let start = head.count
    var place = value.start + 1
    while place < value.end - 1 {
      if head[place] == UInt8(ascii: "\\"), place + 1 < value.end - 1 { place += 1 }
      head.append(head[place])
      place += 1
    }
    return ByteRange(offset: start, count: head.count - start)
  }

  /// A dry run that was asked for without the header: the handler finds it there all the same. [event]
  package static func showDryRun(_ exchange: Exchange) {
    let head = exchange.head
    guard let place = exchange.headers.firstIndex(where: { head.span($0.name).isEqual(to: "prefer") }) else {
      let name = head.append("prefer")
      exchange.headers.append(Field(name: name, value: head.append("dry-run")))
      return
    }
    if Preferences.value("dry-run", in: head.span(exchange.headers[place].value)) == "" { return }
    let start = head.count
    head.append("dry-run, ")
    head.copy(exchange.headers[place].value)
    exchange.headers[place].value = ByteRange(offset: start, count: head.count - start)
  }
}

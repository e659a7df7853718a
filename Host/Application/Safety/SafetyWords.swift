package import Kernel
import Domain

/// The words with which a caller makes a write safe: an idempotency key, a confirmation, the wish for a dry run.
///
/// Each has a header, for clients that can send one, and a name that is a query parameter or a member of a JSON body,
/// for those that cannot (GPT Actions). A route that declares a parameter or member of that name keeps it for itself, and
/// one to which a word means nothing leaves it where it is. What is read is taken out: neither the route's schemas nor its
/// handler see it, in the query or in the body. In a call by name they are arguments beside the route's own.
package struct SafetyWords: Sendable, Equatable {
  package enum Word: CaseIterable, Sendable {
    case key, confirm, dryRun

    /// Of the query parameter and the member.
    package var name: StaticString {
      switch self {
      case .key: "idempotency_key"
      case .confirm: "confirm"
      case .dryRun: "dry_run"
      }
    }
  }

  /// Of the first two words' values, in bytes.
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

extension SafetyWords.Word {
  /// Of the argument of a call by name.
  var schema: JSONValue {
    switch self {
    case .key:
      [
        "type": "string", "minLength": 1, "maxLength": 255,
        "description": "A new UUID for each operation; the same one when the call is repeated.",
      ]
    case .confirm:
      [
        "type": "string",
        "description": "Left out at first; then the token of the answer that asked for confirmation.",
      ]
    case .dryRun: ["type": "boolean", "description": "true: answers what would happen and changes nothing."]
    }
  }
}

extension RouteDeclaration {
  /// Whether an agent has to know of a word to call this route well.
  func wants(_ word: SafetyWords.Word) -> Bool {
    switch word {
    case .key: idempotency == .required
    case .confirm: confirm
    case .dryRun: dryRun
    }
  }

  /// Whether a word means something to this route. A dry run that it does not offer has to be refused.
  fileprivate func heeds(_ word: SafetyWords.Word) -> Bool {
    switch word {
    case .key: idempotency != .none
    case .confirm: confirm
    case .dryRun: method != .get
    }
  }
}

extension JSONValue {
  /// Whether an object in this value has a member of that name.
  fileprivate func names(_ name: String) -> Bool {
    switch self {
    case .object(let members): members[name] != nil || members.values.contains { $0.names(name) }
    case .array(let items): items.contains { $0.names(name) }
    default: false
    }
  }
}

extension SafetyWords {
  /// Takes the words out of the headers and the query. [event]
  package func take(from exchange: Exchange) throws(Problem) {
    if exchange.has(.idempotencyKey), takesKey {
      guard exchange.knownCount[KnownHeader.idempotencyKey.rawValue] == 1 else {
        throw SafetyWords.invalidKey("The header Idempotency-Key must come once.")
      }
      try set(.key, SafetyWords.unquoted(exchange[.idempotencyKey], in: exchange.head), exchange)
    }
    if exchange.has(.prefer), !exchange.isDryRun { exchange.isDryRun = SafetyWords.prefersDryRun(exchange) }
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
      case .key, .confirm: try set(word, field.value, exchange)
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
  private func set(_ word: Word, _ value: ByteRange, _ exchange: Exchange) throws(Problem) {
    let head = exchange.head
    let text = head.span(value)
    var isSound = text.count > 0 && text.count <= SafetyWords.maxBytes
    for index in text.indices where text[index] < 0x20 || text[index] > 0x7E { isSound = false }
    let before = word == .key ? exchange.idempotencyKey : exchange.confirmation
    if !before.isEmpty, !head.span(before).isEqual(to: text) { isSound = false }
    if word == .key {
      guard isSound else {
        throw SafetyWords.invalidKey(
          "An idempotency key is 1 to \(SafetyWords.maxBytes) printable ASCII characters, and one request has one. A UUID is a good one."
        )
      }
      exchange.idempotencyKey = value
    } else {
      guard isSound else { throw SafetyWords.invalidConfirmation }
      exchange.confirmation = value
    }
  }

  private static let invalidConfirmation = Problem(
    400, "confirmation.invalid",
    "The confirmation is no token. Send the one that the answer 428 to this call named, once, as text.")

  private static func notText(_ word: Word) -> Problem {
    word == .key ? invalidKey("The member 'idempotency_key' is text.") : invalidConfirmation
  }

  static func invalidKey(_ detail: String) -> Problem { Problem(400, "idempotency.key_invalid", detail) }

  static let invalidDryRun = Problem(
    400, "dry_run.invalid", "dry_run is true or false, and a member of a body is one of them without quotes.")

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

  /// Whether a preference of the request is `dry-run` (RFC 7240; the name of it is our own).
  private static func prefersDryRun(_ exchange: Exchange) -> Bool {
    let head = exchange.head
    for field in exchange.headers where head.span(field.name).isEqual(to: "prefer") {
      if hasDryRun(head.span(field.value)) { return true }
    }
    return false
  }

  static func hasDryRun(_ value: Span<UInt8>) -> Bool {
    let name: StaticString = "dry-run"
    var start = 0
    while start < value.count {
      var end = start
      while end < value.count, value[end] != UInt8(ascii: ",") { end += 1 }
      var place = start
      while place < end, value[place] == 0x20 || value[place] == 0x09 { place += 1 }
      let after = place + name.utf8CodeUnitCount
      if after <= end, value.extracting(place..<end).hasPrefix(ignoringCase: name) {
        // A parameter or blanks may follow; `dry-running` and `dry-run=0` are something else.
        if after == end || [0x20, 0x09, UInt8(ascii: ";")].contains(value[after]) { return true }
      }
      start = end + 1
    }
    return false
  }

  /// A dry run that was asked for without the header: the handler finds it there all the same. [event]
  package static func showDryRun(_ exchange: Exchange) {
    let head = exchange.head
    guard let place = exchange.headers.firstIndex(where: { head.span($0.name).isEqual(to: "prefer") }) else {
      let name = head.append("prefer")
      exchange.headers.append(Field(name: name, value: head.append("dry-run")))
      return
    }
    if hasDryRun(head.span(exchange.headers[place].value)) { return }
    let start = head.count
    head.append("dry-run, ")
    head.copy(exchange.headers[place].value)
    exchange.headers[place].value = ByteRange(offset: start, count: head.count - start)
  }
}

// MARK: - In a body

extension SafetyWords {
  /// Whether a body that was parsed has one of the words as a member. [event]
  @inline(__always)
  package func isNamed(in root: borrowing JSONElement) -> Bool {
    if body == .none { return false }
    var members = root.members
    while members.next() {
      // Only a name with their lengths can be one of them.
      let length = members.name.digest & 0xFFFF_FFFF
      if length == 7 || length == 15, body.word(members.key) != nil { return true }
    }
    return false
  }

  /// Takes the words out of a JSON object that was parsed, in the bytes themselves: what is left is as it came. [event]
  package func take(fromBodyOf exchange: Exchange, _ root: borrowing JSONElement) throws(Problem) {
    var members = root.members
    var cuts: [Word?] = []
    while members.next() {
      let word = body.word(members.key)
      cuts.append(word)
      guard let word else { continue }
      if members.value.kind == .null { continue }
      if word == .dryRun {
        guard case .bool(let flag) = members.value.kind else { throw SafetyWords.invalidDryRun }
        if flag { exchange.isDryRun = true }
      } else if let text = members.value.utf8 {
        try set(word, exchange.head.append(text), exchange)
      } else {
        throw SafetyWords.notText(word)
      }
    }
    MemberCut.remove(cuts.map { $0 != nil }, from: exchange.body)
  }
}

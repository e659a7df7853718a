import Kernel

/// Where a page ended: the order values of its last record, and which query it belongs to.
///
/// A cursor is opaque text and no secret: a forged one moves within what the query shows anyway.
package struct RecordCursor: Sendable, Equatable {
  /// ``RecordQuery/shape(in:)`` of the query that gave it out.
  package var shape: UInt64
  /// One value for each member of the query's order.
  package var values: [RecordValue]

  package init(shape: UInt64, values: [RecordValue]) {
    self.shape = shape
    self.values = values
  }

  private static let format: UInt8 = 1

  package var text: String {
    var bytes: [UInt8] = [RecordCursor.format]
    append(shape, to: &bytes)
    for value in values {
      switch value {
      case .null: bytes.append(0)
      case .integer(let number):
        bytes.append(1)
        append(UInt64(bitPattern: number), to: &bytes)
      case .number(let number):
        bytes.append(2)
        append(number.bitPattern, to: &bytes)
      case .boolean(let flag): bytes.append(flag ? 4 : 3)
      case .text(let text):
        bytes.append(5)
        append(UInt64(text.count), to: &bytes)
        bytes += text
      }
    }
    return Base64URL.encode(bytes)
  }

  /// Reads a cursor back. nil for any text that ``text`` does not make.
  package init?(_ text: Span<UInt8>, limits: RecordLimits) {
    guard text.count <= limits.maxCursorBytes, let bytes = Base64URL.decode(String(text)) else { return nil }
    var reader = Reader(bytes: bytes)
    guard reader.byte() == RecordCursor.format, let shape = reader.word() else { return nil }
    self.shape = shape
    values = []
    while let kind = reader.byte() {
      switch kind {
      case 0: values.append(.null)
      case 1:
        guard let word = reader.word() else { return nil }
        values.append(.integer(Int64(bitPattern: word)))
      case 2:
        guard let word = reader.word(), !Double(bitPattern: word).isNaN else { return nil }
        values.append(.number(Double(bitPattern: word)))
      case 3: values.append(.boolean(false))
      case 4: values.append(.boolean(true))
      case 5:
        guard let text = reader.text() else { return nil }
        values.append(.text(text))
      default: return nil
      }
      guard values.count <= limits.maxOrderFields + 1 else { return nil }
    }
  }

  /// Whether the values can be positions in this order.
  package func fits(_ order: [RecordQuery.Order], of schema: RecordSchema) -> Bool {
    guard values.count == order.count else { return false }
    return zip(values, order).allSatisfy { value, part in
      if part.isRank {
        guard case .number = value else { return false }
        return true
      }
      let member = schema.members[part.member]
      switch (value, member.type) {
      case (.null, _): return !member.isNeverNull
      case (.integer, .integer), (.number, .number), (.boolean, .boolean), (.text, .string),
        (.text, .timestamp):
        return true
      default: return false
      }
    }
  }

  private struct Reader {
    let bytes: [UInt8]
    var place = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func byte() -> UInt8? {
      guard place < bytes.count else { return nil }
      place += 1
      return bytes[place - 1]
    }

    mutating func word() -> UInt64? {
      guard bytes.count - place >= 8 else { return nil }
      var word: UInt64 = 0
      for _ in 0..<8 {
        word = word << 8 | UInt64(bytes[place])
        place += 1
      }
      return word
    }

    mutating func text() -> [UInt8]? {
      guard let count = word(), count <= UInt64(bytes.count - place) else { return nil }
      let text = Array(bytes[place..<place + Int(count)])
      place += Int(count)
      guard !text.contains(0), String(validating: text, as: UTF8.self) != nil else { return nil }
      return text
    }
  }
}

private func append(_ word: UInt64, to bytes: inout [UInt8]) {
  for shift in stride(from: 56, through: 0, by: -8) {
    bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
  }
}

extension RecordQuery {
  /// A number for what a cursor depends on: the collection, its filter with values, and the order. Page size
  /// and projection may change from page to page. The same in every process and generation: it is made of names.
  package func shape(in schema: RecordSchema) -> UInt64 {
    var hash = Fingerprint()
    hash.add(schema.name)
    for part in order {
      hash.add(byte: part.descending ? 1 : 0)
      // No field is named like that.
      hash.add(part.isRank ? "-rank" : schema.members[part.member].name)
    }
    for word in words { hash.add(.text(word)) }
    if let filter { filter.add(to: &hash, schema) }
    return hash.value
  }
}

extension RecordFilter {
  fileprivate func add(to hash: inout Fingerprint, _ schema: RecordSchema) {
    switch self {
    case .compare(let member, let comparison, let operand):
      hash.add(byte: 10 + comparison.rawValue)
      hash.add(schema.members[member].name)
      hash.add(operand.value)
    case .isNull(let member, let flag):
      hash.add(byte: flag ? 20 : 21)
      hash.add(schema.members[member].name)
    case .oneOf(let member, let operands, let negated):
      hash.add(byte: negated ? 22 : 23)
      hash.add(schema.members[member].name)
      hash.add(byte: UInt8(truncatingIfNeeded: operands.count))
      for operand in operands { hash.add(operand.value) }
    case .prefix(let member, let operand):
      hash.add(byte: 24)
      hash.add(schema.members[member].name)
      hash.add(operand.value)
    case .contains(let member, let operand):
      hash.add(byte: 25)
      hash.add(schema.members[member].name)
      hash.add(operand.value)
    case .all(let filters):
      hash.add(byte: 26)
      for filter in filters { filter.add(to: &hash, schema) }
      hash.add(byte: 27)
    case .any(let filters):
      hash.add(byte: 28)
      for filter in filters { filter.add(to: &hash, schema) }
      hash.add(byte: 29)
    case .not(let filter):
      hash.add(byte: 30)
      filter.add(to: &hash, schema)
    }
  }
}

/// FNV-1a, 64 bits: stable, and no defence against anybody.
private struct Fingerprint {
  var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }

  mutating func add(_ text: String) {
    for byte in text.utf8 { add(byte: byte) }
    add(byte: 0)
  }

  mutating func add(_ word: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) {
      add(byte: UInt8(truncatingIfNeeded: word >> UInt64(shift)))
    }
  }

  mutating func add(_ record: RecordValue) {
    switch record {
    case .null: add(byte: 0)
    case .integer(let number): add(UInt64(bitPattern: number))
    case .number(let number): add(number.bitPattern)
    case .boolean(let flag): add(byte: flag ? 1 : 2)
    case .text(let text):
      for byte in text { add(byte: byte) }
      add(byte: 0)
    }
  }
}

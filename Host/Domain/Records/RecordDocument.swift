package import Kernel

/// One field's change in a patch or an increment.
package struct RecordChange: Sendable, Equatable {
  package enum Action: Sendable, Equatable {
    case set(RecordValue)
    /// A merge patch of a json field's value (RFC 7396).
    case merge(JSONValue)
    case add(RecordValue)
  }

  /// The member's position in the schema.
  package var member: Int
  package var action: Action

  /// Whether the new value depends on the present one.
  package var readsCurrent: Bool { if case .set = action { false } else { true } }
}

// MARK: - Documents

extension RecordSchema {
  /// Reads a whole document: the values of the declared fields in order, defaults filled in.
  /// `now` is asked only where the collection's records end by themselves.
  package func values(
    of document: borrowing JSONElement, limits: RecordLimits, now: () -> Timestamp
  ) throws(Problem) -> [RecordValue] {
    guard case .object = document.kind else {
      throw .recordInvalid([RecordIssue("", "must be an object")])
    }
    var values = [RecordValue?](repeating: nil, count: members.count)
    var issues: [RecordIssue] = []
    var fields = document.members
    while fields.next(), issues.count < limits.maxErrors {
      do throws(RecordIssue) {
        let (index, field) = try declaredField(fields.key)
        guard values[index] == nil else { throw RecordIssue("", "appears twice") }
        values[index] = .null
        if let end = try ending(index, fields.value, now) {
          values[index] = end
        } else {
          values[index] = try field.value(of: fields.value, limits: limits)
        }
      } catch {
        issues.append(error.below(String(fields.key)))
      }
    }
    for index in declared where values[index] == nil && issues.count < limits.maxErrors {
      var value = defaults[index - 1]
      if value == .null, index == expiry, let seconds = declaration.expires?.afterSeconds {
        value = RecordSchema.instant(now(), after: seconds)
      }
      values[index] = value
      if value == .null, members[index].declaration?.required == true {
        issues.append(RecordIssue("", "is required").below(members[index].name))
      }
    }
    guard issues.isEmpty else { throw .recordInvalid(issues) }
    return declared.map { values[$0] ?? .null }
  }

  /// Reads a merge patch (RFC 7396): null removes, an object given for a json field merges into it.
  package func patch(
    _ document: borrowing JSONElement, limits: RecordLimits, now: () -> Timestamp
  ) throws(Problem) -> [RecordChange] {
    try changes(document, limits: limits) { field, value, limits throws(RecordIssue) in
      if let index = expiry, field.name == members[index].name, let end = try ending(index, value, now) {
        return .set(end)
      }
      if field.type == .json, case .object = value.kind {
        var checked: [UInt8] = []
        try RecordJSON.append(value, to: &checked)
        return .merge(JSONValue(value))
      }
      return .set(try field.value(of: value, limits: limits))
    }
  }

  /// Reads `{"balance":-5}`: what is added to numeric fields.
  package func increments(
    _ document: borrowing JSONElement, limits: RecordLimits
  ) throws(Problem) -> [RecordChange] {
    let changes = try changes(document, limits: limits) { field, value, limits throws(RecordIssue) in
      guard field.type == .integer || field.type == .number else {
        throw RecordIssue(
          "", "is a \(field.type.rawValue): only integer and number fields can be incremented")
      }
      var unbounded = FieldDeclaration(name: field.name, type: field.type, required: true)
      unbounded.unique = field.unique
      return .add(try unbounded.value(of: value, limits: limits))
    }
    guard !changes.isEmpty else { throw .recordInvalid([RecordIssue("", "must name a field to increment")]) }
    return changes
  }

  private func changes(
    _ document: borrowing JSONElement, limits: RecordLimits,
    _ read: (FieldDeclaration, borrowing JSONElement, RecordLimits) throws(RecordIssue) -> RecordChange.Action
  ) throws(Problem) -> [RecordChange] {
    guard case .object = document.kind else {
      throw .recordInvalid([RecordIssue("", "must be an object")])
    }
    var changes: [RecordChange] = []
    var issues: [RecordIssue] = []
    var fields = document.members
    while fields.next(), issues.count < limits.maxErrors {
      do throws(RecordIssue) {
        let (index, field) = try declaredField(fields.key)
        if changes.contains(where: { $0.member == index }) { throw RecordIssue("", "appears twice") }
        changes.append(RecordChange(member: index, action: try read(field, fields.value, limits)))
      } catch {
        issues.append(error.below(String(fields.key)))
      }
    }
    guard issues.isEmpty else { throw .recordInvalid(issues) }
    return changes
  }

  /// The end of a record, where it is given as a number: so many seconds from now.
  private func ending(
    _ index: Int, _ value: borrowing JSONElement, _ now: () -> Timestamp
  ) throws(RecordIssue) -> RecordValue? {
    guard index == expiry, case .integer(let seconds) = value.kind else { return nil }
    guard (1...ExpiryDeclaration.maxSeconds).contains(seconds) else {
      throw RecordIssue(
        "", "must be a timestamp, or the seconds from now, from 1 to \(ExpiryDeclaration.maxSeconds)")
    }
    return RecordSchema.instant(now(), after: seconds)
  }

  private static func instant(_ now: Timestamp, after seconds: Int64) -> RecordValue {
    .text(Array(Timestamp(microseconds: now.microseconds + seconds * 1_000_000).text.utf8))
  }

  private func declaredField(_ name: Span<UInt8>) throws(RecordIssue) -> (Int, FieldDeclaration) {
    guard let index = member(name) else { throw RecordIssue("", "is not a field of \(self.name)") }
    guard let field = members[index].declaration else {
      throw RecordIssue("", "is set by the host and cannot be given")
    }
    return (index, field)
  }

  /// What a change makes of the present value. Throws what the field's rules say against the result.
  package func apply(
    _ change: RecordChange, to current: RecordValue, limits: RecordLimits
  ) throws(RecordIssue) -> RecordValue {
    let member = members[change.member]
    do throws(RecordIssue) {
      switch change.action {
      case .set(let value): return value
      case .merge(let patch):
        var target = JSONValue.null
        if case .text(let bytes) = current {
          do { target = try JSONValue.parse(bytes.span) } catch {
            throw RecordIssue("", "holds no JSON: replace it whole")
          }
        }
        var merged: [UInt8] = []
        RecordJSON.append(MergePatch.apply(patch, to: target), to: &merged)
        guard merged.count <= limits.maxDocumentBytes else {
          throw RecordIssue("", "would be over \(limits.maxDocumentBytes) bytes")
        }
        return .text(merged)
      case .add(let amount):
        let sum = try RecordSchema.sum(current, amount)
        try member.declaration?.checkBounds(sum)
        return sum
      }
    } catch {
      throw error.below(member.name)
    }
  }

  /// A missing value counts as zero.
  private static func sum(_ current: RecordValue, _ amount: RecordValue) throws(RecordIssue) -> RecordValue {
    switch (current, amount) {
    case (.null, _): return amount
    case (.integer(let a), .integer(let b)):
      let (sum, overflow) = a.addingReportingOverflow(b)
      guard !overflow else { throw RecordIssue("", "would leave the range of a 64-bit integer") }
      return .integer(sum)
    case (.number(let a), .number(let b)):
      guard (a + b).isFinite else { throw RecordIssue("", "would leave the range of a double") }
      return .number(a + b)
    default: throw RecordIssue("", "holds no number")
    }
  }
}

// MARK: - One value

extension FieldDeclaration {
  /// The kept form of a document's value. Throws what the field's rules say against it.
  package func value(
    of element: borrowing JSONElement, limits: RecordLimits
  ) throws(RecordIssue) -> RecordValue {
    if case .null = element.kind {
      guard !required else { throw RecordIssue("", "is required and cannot be null") }
      return .null
    }
    let value = try typedValue(of: element)
    switch value {
    case .text(let text):
      guard text.count <= limits.maxDocumentBytes else {
        throw RecordIssue("", "is over \(limits.maxDocumentBytes) bytes")
      }
      if type == .string { try checkText(text) }
    case .integer, .number: try checkBounds(value)
    case .null, .boolean: break
    }
    return value
  }

  /// The value in this field's type, whatever its bounds: also what a query compares with. Not null.
  package func typedValue(of element: borrowing JSONElement) throws(RecordIssue) -> RecordValue {
    try type.value(of: element)
  }

  fileprivate func checkText(_ text: [UInt8]) throws(RecordIssue) {
    // Characters are Unicode code points, as JSON Schema counts them.
    if minLength != nil || maxLength != nil {
      let length = text.reduce(0) { $1 & 0xC0 == 0x80 ? $0 : $0 + 1 }
      if let minLength, length < minLength {
        throw RecordIssue("", "must be at least \(minLength) characters long")
      }
      if let maxLength, length > maxLength {
        throw RecordIssue("", "must be at most \(maxLength) characters long")
      }
    }
    if let allowed, !allowed.contains(where: { $0.utf8.elementsEqual(text) }) {
      throw RecordIssue("", "must be one of \(allowed.joined(separator: ", "))")
    }
  }

  package func checkBounds(_ value: RecordValue) throws(RecordIssue) {
    let number: Double
    switch value {
    case .integer(let integer): number = Double(integer)
    case .number(let double): number = double
    default: return
    }
    if let minimum, number < minimum { throw RecordIssue("", "must be at least \(short(minimum))") }
    if let maximum, number > maximum { throw RecordIssue("", "must be at most \(short(maximum))") }
  }

  private func short(_ number: Double) -> String {
    Int64(exactly: number).map { String($0) } ?? number.description
  }
}

extension FieldDeclaration.FieldType {
  /// The kept form of a JSON value of this type. Throws for another type, and for null.
  package func value(of element: borrowing JSONElement) throws(RecordIssue) -> RecordValue {
    switch self {
    case .string:
      guard let text = element.utf8 else { throw RecordIssue("", "must be a string") }
      for index in text.indices where text[index] == 0 {
        throw RecordIssue("", "must not hold U+0000")
      }
      return .text([UInt8](text))
    case .timestamp:
      guard let text = element.utf8, let kept = RecordTimestamp.normalise(text) else {
        throw RecordIssue("", "must be a timestamp like 2026-01-31T13:45:00Z (RFC 3339)")
      }
      return .text(kept)
    case .integer:
      switch element.kind {
      case .integer(let number): return .integer(number)
      case .double(let number):
        guard let whole = Int64(exactly: number) else {
          throw RecordIssue(
            "",
            abs(number) < 0x1p63
              ? "must be a whole number" : "must be from -9223372036854775808 to 9223372036854775807")
        }
        return .integer(whole)
      case .unsigned: throw RecordIssue("", "must be at most 9223372036854775807")
      default: throw RecordIssue("", "must be an integer")
      }
    case .number:
      switch element.kind {
      case .integer(let number): return .number(Double(number))
      case .unsigned(let number): return .number(Double(number))
      // Engines do not keep the sign of zero.
      case .double(let number): return .number(number == 0 ? 0 : number)
      default: throw RecordIssue("", "must be a number")
      }
    case .boolean:
      guard case .bool(let flag) = element.kind else { throw RecordIssue("", "must be true or false") }
      return .boolean(flag)
    case .json:
      var bytes: [UInt8] = []
      try RecordJSON.append(element, to: &bytes)
      return .text(bytes)
    }
  }
}

import Kernel

extension Program {
  /// Whether no two items are equal. Takes time in proportion to the array, by hash.
  func isUnique(_ element: JSONElement, _ count: Int, _ run: inout Run) -> Bool {
    let table = HashedPlaces(count, run.scratch)
    defer { table.end(run.scratch) }
    var elements = element.elements
    var ordinal = 0
    while elements.next() {
      let item = elements.value
      guard let hash = hash(item, &run) else { return false }
      var probe = table.first(hash)
      while let place = table.place(&probe, hash, run.scratch) {
        let other = element.value(at: place)
        if isEqual(item, other, &run) {
          let first = self.ordinal(of: place, in: element)
          return run.fail(
            element.index, "uniqueItems", "must not repeat an item: numbers \(first) and \(ordinal) are equal"
          )
        }
        if run.stop != nil { return false }
      }
      table.insert(probe, hash, item.index, run.scratch)
      ordinal += 1
    }
    return true
  }

  private func ordinal(of place: Int, in element: JSONElement) -> Int {
    var elements = element.elements
    var ordinal = 0
    while elements.next(), elements.value.index != place { ordinal += 1 }
    return ordinal
  }

  /// The same for equal values; nil when the value is nested too deeply.
  private func hash(_ element: JSONElement, _ run: inout Run) -> UInt64? {
    let seed = run.scratch.seed
    switch element.kind {
    case .null: return seed ^ 1
    case .bool(let flag): return seed ^ (flag ? 2 : 3)
    case .string: return JSONSchema.hash(element.utf8!, seed: seed)
    case .integer, .unsigned, .double:
      switch JSONNumber(element.kind)!.canonical {
      case .integer(let value): return fold(seed ^ 4, UInt64(bitPattern: value))
      case .unsigned(let value): return fold(seed ^ 5, value)
      case .double(let value): return fold(seed ^ 6, value.bitPattern)
      }
    case .array:
      guard run.enter(at: element.index) else { return nil }
      defer { run.leave() }
      var state = seed ^ 7
      var elements = element.elements
      while elements.next() {
        guard let hash = hash(elements.value, &run) else { return nil }
        state = fold(state, hash)
      }
      return state
    case .object:
      guard run.enter(at: element.index) else { return nil }
      defer { run.leave() }
      // A sum, since members have no order.
      var state = seed ^ 8
      var members = element.members
      while members.next() {
        guard let hash = hash(members.value, &run) else { return nil }
        state &+= fold(JSONSchema.hash(members.key, seed: seed), hash)
      }
      return state
    }
  }

  private func isEqual(_ a: JSONElement, _ b: JSONElement, _ run: inout Run) -> Bool {
    switch (a.kind, b.kind) {
    case (.null, .null): return true
    case (.bool(let a), .bool(let b)): return a == b
    case (.string, .string): return a.utf8!.isEqual(to: b.utf8!)
    case (.array, .array):
      guard a.count == b.count, run.enter(at: a.index) else { return false }
      defer { run.leave() }
      var (left, right) = (a.elements, b.elements)
      while left.next(), right.next() {
        if !isEqual(left.value, right.value, &run) { return false }
      }
      return true
    case (.object, .object):
      guard a.count == b.count, run.enter(at: a.index) else { return false }
      defer { run.leave() }
      return hasEqualMembers(a, b, &run)
    case (let left, let right):
      guard let left = JSONNumber(left), let right = JSONNumber(right) else { return false }
      return left == right
    }
  }

  private func hasEqualMembers(_ a: JSONElement, _ b: JSONElement, _ run: inout Run) -> Bool {
    let seed = run.scratch.seed
    let count = b.count
    let table = HashedPlaces(count, run.scratch)
    defer { table.end(run.scratch) }
    var right = b.members
    while right.next() {
      let hash = JSONSchema.hash(right.key, seed: seed)
      var probe = table.first(hash)
      while table.place(&probe, hash, run.scratch) != nil {}
      table.insert(probe, hash, right.name.index, run.scratch)
    }
    var left = a.members
    next: while left.next() {
      let hash = JSONSchema.hash(left.key, seed: seed)
      var probe = table.first(hash)
      while let place = table.place(&probe, hash, run.scratch) {
        guard b.value(at: place).utf8!.isEqual(to: left.key) else { continue }
        guard isEqual(left.value, b.value(at: place + 1), &run) else { return false }
        continue next
      }
      return false
    }
    return true
  }

  // MARK: Keys

  /// Whether an object anywhere in the document has a key twice. Takes time in proportion to the document.
  func hasDuplicateKey(_ document: JSONElement, _ run: inout Run) -> Bool {
    var found = false
    var index = document.index
    let end = document.end
    while index < end {
      let element = document.value(at: index)
      switch element.kind {
      case .object:
        if element.count > 1, hasDuplicateKey(in: element, &run) {
          found = true
          if !run.goesOn { return true }
        }
        index += 1
      case .array: index += 1
      case .null:
        // Also the end of a container.
        index += 1
      default: index = element.end
      }
    }
    return found
  }

  private func hasDuplicateKey(in object: JSONElement, _ run: inout Run) -> Bool {
    let count = object.count
    if count <= 8 { return hasDuplicateKey(inSmall: object, &run) }
    let table = HashedPlaces(count, run.scratch)
    defer { table.end(run.scratch) }
    var found = false
    var members = object.members
    while members.next() {
      let hash = JSONSchema.hash(members.key, seed: run.scratch.seed)
      var probe = table.first(hash)
      while let place = table.place(&probe, hash, run.scratch) {
        if object.value(at: place).utf8!.isEqual(to: members.key) {
          found = true
          failDuplicate(members.name, &run)
          if !run.goesOn { return true }
        }
      }
      table.insert(probe, hash, members.name.index, run.scratch)
    }
    return found
  }

  private func hasDuplicateKey(inSmall object: JSONElement, _ run: inout Run) -> Bool {
    var digests = InlineArray<8, UInt64>(repeating: 0)
    var found = false
    var members = object.members
    var count = 0
    while members.next() {
      let digest = members.name.digest
      for index in 0..<count where digests[index] == digest {
        if isRepeated(members.name, in: object) {
          found = true
          failDuplicate(members.name, &run)
          if !run.goesOn { return true }
        }
        break
      }
      digests[count] = digest
      count += 1
    }
    return found
  }

  /// Whether a member before this one has the same key.
  private func isRepeated(_ name: JSONElement, in object: JSONElement) -> Bool {
    var members = object.members
    while members.next(), members.name.index < name.index {
      if members.key.isEqual(to: name.utf8!) { return true }
    }
    return false
  }

  private func failDuplicate(_ name: JSONElement, _ run: inout Run) {
    _ = run.fail(
      name.index, "duplicate_key",
      "the property \(ViolationText.quoted(name)) occurs more than once; send it once")
  }
}

/// A hash table of places on the tape, in scratch words; what is in it keeps half of its slots free.
private struct HashedPlaces {
  private let start: Int
  private let mask: Int

  init(_ count: Int, _ scratch: Scratch) {
    var slots = 4
    while slots < count * 2 { slots *= 2 }
    mask = slots - 1
    start = scratch.take(slots)
  }

  func end(_ scratch: Scratch) { scratch.giveBack(to: start) }

  func first(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & mask }

  /// The next place whose hash is that; nil at a free slot, where `probe` then stands.
  func place(_ probe: inout Int, _ hash: UInt64, _ scratch: Scratch) -> Int? {
    while true {
      let held = scratch.words[start + probe]
      if held == 0 { return nil }
      probe = (probe + 1) & mask
      if held >> 32 == hash >> 32 { return Int(held & 0xFFFF_FFFF) }
    }
  }

  /// A place is never 0: that is the tape's first word.
  func insert(_ probe: Int, _ hash: UInt64, _ place: Int, _ scratch: Scratch) {
    scratch.set(start + probe, hash & 0xFFFF_FFFF_0000_0000 | UInt64(place))
  }
}

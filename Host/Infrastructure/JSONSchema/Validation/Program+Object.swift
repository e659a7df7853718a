import Kernel

extension Program {
  func checkObject(_ rules: ObjectRules, _ element: JSONElement, _ run: inout Run, marks: Int) -> Bool {
    var valid = true
    let count = element.count
    if count < rules.minProperties {
      valid = run.fail(
        element.index, "minProperties", ViolationText.count(atLeast: rules.minProperties, count, "properties")
      )
    }
    if count > rules.maxProperties {
      valid = run.fail(
        element.index, "maxProperties", ViolationText.count(atMost: rules.maxProperties, count, "properties"))
    }
    if !valid && !run.goesOn { return false }

    var present = Presence(rules.presences, run.scratch)
    defer { present.end(run.scratch) }
    var members = element.members
    var ordinal = 0
    while members.next() {
      let entry = find(members.key, in: rules.names)
      if entry >= 0, tables.entries[entry].presence >= 0 {
        present.set(tables.entries[entry].presence, run.scratch)
      }
      if !checkMember(rules, entry, members, ordinal, &run, marks: marks) {
        valid = false
        if !run.goesOn { return false }
      }
      ordinal += 1
    }
    if rules.requiredEntries.count > 0, !hasRequired(rules, present, element, &run) {
      valid = false
      if !run.goesOn { return false }
    }
    if rules.triggers.count > 0, !checkTriggers(rules, present, element, &run, marks: marks) { valid = false }
    return valid
  }

  @inline(__always)
  private func checkMember(
    _ rules: ObjectRules, _ entry: Int, _ members: borrowing JSONElement.Members, _ ordinal: Int,
    _ run: inout Run, marks: Int
  ) -> Bool {
    var valid = true
    var isCovered = false
    if entry >= 0, tables.entries[entry].value >= 0 {
      isCovered = true
      valid = evaluate(tables.entries[entry].value, members.value, &run, marks: -1)
    }
    if rules.patterns.count > 0, valid || run.goesOn {
      for index in rules.patterns.indices {
        let named = tables.namedPatterns[index]
        if matches(named.pattern, members.key, members.name.index, &run) {
          isCovered = true
          valid = evaluate(named.node, members.value, &run, marks: -1) && valid
        }
      }
    }
    if !isCovered, rules.additional >= 0 {
      isCovered = true
      if rules.additional == Program.nothing {
        valid = run.fail(members.value.index, "additionalProperties", unknown(members.name, rules))
      } else if !evaluate(rules.additional, members.value, &run, marks: -1) {
        valid = false
      }
    }
    if rules.propertyNames >= 0, valid || run.goesOn,
      !evaluate(rules.propertyNames, members.name, &run, marks: -1)
    {
      valid = run.fail(
        members.name.index, "propertyNames", "the name \(ViolationText.quoted(members.name)) is not allowed")
    }
    if marks >= 0, isCovered { run.scratch.setBit(ordinal, at: marks) }
    return valid
  }

  private func unknown(_ name: JSONElement, _ rules: ObjectRules) -> String {
    var names: [String] = []
    for entry in rules.names.entries.indices where tables.entries[entry].value >= 0 {
      names.append(self.name(of: entry))
    }
    return ViolationText.unknown(ViolationText.quoted(name), known: names)
  }

  private func hasRequired(
    _ rules: ObjectRules, _ present: Presence, _ element: JSONElement, _ run: inout Run
  ) -> Bool {
    if rules.presences <= 64, present.word & rules.required == rules.required { return true }
    var valid = true
    for index in rules.requiredEntries.indices {
      let entry = Int(tables.children[index])
      if present.has(tables.entries[entry].presence, run.scratch) { continue }
      valid = run.fail(
        element.index, "required", "needs the property \(ViolationText.quoted(name(of: entry)))")
      if !run.goesOn { return false }
    }
    return valid
  }

  private func checkTriggers(
    _ rules: ObjectRules, _ present: Presence, _ element: JSONElement, _ run: inout Run, marks: Int
  ) -> Bool {
    var valid = true
    for index in rules.triggers.indices {
      let trigger = tables.triggers[index]
      guard present.has(tables.entries[trigger.entry].presence, run.scratch) else { continue }
      if trigger.node >= 0 {
        valid = evaluate(trigger.node, element, &run, marks: marks) && valid
      } else if !present.has(tables.entries[trigger.requiredEntry].presence, run.scratch) {
        let (needed, cause) = (name(of: Int(trigger.requiredEntry)), name(of: Int(trigger.entry)))
        valid = run.fail(
          element.index, "dependentRequired",
          "needs the property \(ViolationText.quoted(needed)), because it has \(ViolationText.quoted(cause))")
      }
      if !valid && !run.goesOn { return false }
    }
    return valid
  }

  /// The members or items that no keyword of this schema evaluated.
  func checkUnevaluated(_ node: Node, _ element: JSONElement, _ run: inout Run, marks: Int) -> Bool {
    var valid = true
    var ordinal = 0
    var members = element.members
    while members.next() {
      defer { ordinal += 1 }
      if run.scratch.hasBit(ordinal, at: marks) { continue }
      if node.unevaluatedProperties == Program.nothing {
        valid = run.fail(
          members.value.index, "unevaluatedProperties",
          "the property \(ViolationText.quoted(members.name)) is not allowed here")
      } else {
        valid = evaluate(node.unevaluatedProperties, members.value, &run, marks: -1) && valid
      }
      if !valid && !run.goesOn { return false }
      run.scratch.setBit(ordinal, at: marks)
    }
    var elements = element.elements
    while elements.next() {
      defer { ordinal += 1 }
      if run.scratch.hasBit(ordinal, at: marks) { continue }
      if node.unevaluatedItems == Program.nothing {
        valid = run.fail(elements.value.index, "unevaluatedItems", "no item is allowed at this position")
      } else {
        valid = evaluate(node.unevaluatedItems, elements.value, &run, marks: -1) && valid
      }
      if !valid && !run.goesOn { return false }
      run.scratch.setBit(ordinal, at: marks)
    }
    return valid
  }
}

/// Which of the names that someone asks for an object has: one word, or as many as it takes.
private struct Presence {
  private(set) var word: UInt64 = 0
  private let start: Int

  init(_ count: Int32, _ scratch: Scratch) {
    start = count > 64 ? scratch.takeBits(Int(count)) : -1
  }

  @inline(__always)
  mutating func set(_ bit: Int32, _ scratch: Scratch) {
    if start < 0 { word |= 1 << UInt64(bit) } else { scratch.setBit(Int(bit), at: start) }
  }

  @inline(__always)
  func has(_ bit: Int32, _ scratch: Scratch) -> Bool {
    start < 0 ? word & 1 << UInt64(bit) != 0 : scratch.hasBit(Int(bit), at: start)
  }

  @inline(__always)
  func end(_ scratch: Scratch) {
    if start >= 0 { scratch.giveBack(to: start) }
  }
}

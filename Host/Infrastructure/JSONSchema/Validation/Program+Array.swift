import Kernel

extension Program {
  func checkArray(_ rules: ArrayRules, _ element: JSONElement, _ run: inout Run, marks: Int) -> Bool {
    var valid = true
    let count = element.count
    if count < rules.minItems {
      valid = run.fail(
        element.index, "minItems", ViolationText.count(atLeast: rules.minItems, count, "items"))
    }
    if count > rules.maxItems {
      valid = run.fail(element.index, "maxItems", ViolationText.count(atMost: rules.maxItems, count, "items"))
    }
    if !valid && !run.goesOn { return false }
    if rules.prefix.count > 0 || rules.items >= 0, !checkItems(rules, element, &run, marks: marks) {
      valid = false
      if !run.goesOn { return false }
    }
    if rules.contains >= 0, !checkContains(rules, element, &run, marks: marks) {
      valid = false
      if !run.goesOn { return false }
    }
    if rules.isUnique, count > 1, !isUnique(element, count, &run) { valid = false }
    return valid
  }

  private func checkItems(
    _ rules: ArrayRules, _ element: JSONElement, _ run: inout Run, marks: Int
  ) -> Bool {
    var valid = true
    var elements = element.elements
    var ordinal = 0
    while elements.next() {
      let node: Int32
      if ordinal < rules.prefix.count {
        node = tables.children[Int(rules.prefix.start) + ordinal]
      } else if rules.items >= 0 {
        node = rules.items
      } else {
        break
      }
      if node == Program.nothing, ordinal >= rules.prefix.count {
        valid = run.fail(element.index, "items", "must have at most \(rules.prefix.count) items")
        return false
      }
      if !evaluate(node, elements.value, &run, marks: -1) {
        valid = false
        if !run.goesOn { return false }
      }
      if marks >= 0 { run.scratch.setBit(ordinal, at: marks) }
      ordinal += 1
    }
    return valid
  }

  private func checkContains(
    _ rules: ArrayRules, _ element: JSONElement, _ run: inout Run, marks: Int
  ) -> Bool {
    var matched = 0
    var elements = element.elements
    var ordinal = 0
    while elements.next() {
      if holds(rules.contains, elements.value, &run, marks: -1) {
        matched += 1
        if marks >= 0 { run.scratch.setBit(ordinal, at: marks) }
      }
      ordinal += 1
      // Further items change nothing.
      if marks < 0, rules.maxContains == .max, matched >= rules.minContains { return true }
    }
    if matched < rules.minContains {
      return run.fail(
        element.index, "contains",
        "must have at least \(rules.minContains) items of the kind that the schema's 'contains' describes, has \(matched)"
      )
    }
    if matched > rules.maxContains {
      return run.fail(
        element.index, "maxContains",
        "must have at most \(rules.maxContains) items of the kind that the schema's 'contains' describes, has \(matched)"
      )
    }
    return true
  }
}

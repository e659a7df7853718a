import Kernel

extension Program {
  /// Applies the schemas of one keyword to the same value.
  func perform(_ step: Step, _ element: JSONElement, _ run: inout Run, marks: Int) -> Bool {
    switch step {
    case .reference(let target): return evaluate(target, element, &run, marks: marks)
    case .dynamicReference(let target, let candidates):
      return evaluate(resolve(target, candidates, run.scratch), element, &run, marks: marks)
    case .allOf(let list):
      var valid = true
      for index in list.indices where !evaluate(tables.children[index], element, &run, marks: marks) {
        valid = false
        if !run.goesOn { return false }
      }
      return valid
    case .anyOf(let list): return anyOf(list, element, &run, marks: marks)
    case .oneOf(let list): return oneOf(list, element, &run, marks: marks)
    case .not(let node):
      if !holds(node, element, &run, marks: -1) { return true }
      return run.fail(element.index, "not", "is what the schema's 'not' forbids")
    case .conditional(let condition, let then, let otherwise):
      let next = attempt(condition, element, &run, marks: marks) ? then : otherwise
      return next < 0 || evaluate(next, element, &run, marks: marks)
    }
  }

  /// The schema of the outermost resource entered that has one for the anchor.
  private func resolve(_ target: Int32, _ candidates: IndexRange, _ scratch: Scratch) -> Int32 {
    for resource in scratch.scope {
      for index in candidates.indices where tables.candidates[index].resource == resource {
        return tables.candidates[index].node
      }
    }
    return target
  }

  /// Whether a schema holds; what it evaluates is marked only if it does.
  private func attempt(_ node: Int32, _ element: JSONElement, _ run: inout Run, marks: Int) -> Bool {
    guard marks >= 0 else { return holds(node, element, &run, marks: -1) }
    let count = element.count
    let own = run.scratch.takeBits(count)
    let valid = holds(node, element, &run, marks: own)
    if valid { run.scratch.merge(own, into: marks, bits: count) }
    run.scratch.giveBack(to: own)
    return valid
  }

  private func anyOf(_ list: IndexRange, _ element: JSONElement, _ run: inout Run, marks: Int) -> Bool {
    var valid = false
    for index in list.indices where attempt(tables.children[index], element, &run, marks: marks) {
      valid = true
      // What the others evaluate matters only to someone who asks.
      if marks < 0 { return true }
    }
    if valid { return true }
    guard run.isReporting else { return false }
    return explain("anyOf", list, element, &run)
  }

  private func oneOf(_ list: IndexRange, _ element: JSONElement, _ run: inout Run, marks: Int) -> Bool {
    var first = -1
    for index in list.indices where attempt(tables.children[index], element, &run, marks: marks) {
      if first >= 0 {
        let numbers = "\(first - Int(list.start) + 1) and \(index - Int(list.start) + 1)"
        return run.fail(
          element.index, "oneOf",
          "matches alternatives \(numbers) of \(list.count), and must match exactly one")
      }
      first = index
    }
    if first >= 0 { return true }
    guard run.isReporting else { return false }
    return explain("oneOf", list, element, &run)
  }

  /// Says that no alternative holds, and what the nearest one lacks.
  @inline(never)
  private func explain(
    _ keyword: StaticString, _ list: IndexRange, _ element: JSONElement, _ run: inout Run
  ) -> Bool {
    guard !run.isExplaining, run.stop == nil else {
      return run.fail(element.index, keyword, "matches none of \(list.count) alternatives")
    }
    let (kept, limit) = (run.findings, run.limit)
    run.isExplaining = true
    var nearest: (number: Int, distance: Int, findings: [Run.Finding])?
    for index in list.indices {
      (run.findings, run.limit) = ([], 8)
      _ = evaluate(tables.children[index], element, &run, marks: -1)
      let distance = distance(run.findings, element)
      if nearest.map({ distance < $0.distance }) ?? true {
        nearest = (index - Int(list.start) + 1, distance, run.findings)
      }
    }
    run.isExplaining = false
    (run.findings, run.limit) = (kept, limit)
    guard let nearest, list.count > 1 else {
      _ = run.fail(element.index, keyword, "matches none of \(list.count) alternatives")
      if let nearest { run.findings += nearest.findings.prefix(max(run.limit - run.findings.count, 0)) }
      return false
    }
    _ = run.fail(
      element.index, keyword,
      "matches none of \(list.count) alternatives; what number \(nearest.number), the nearest, asks for follows"
    )
    run.findings += nearest.findings.prefix(max(run.limit - run.findings.count, 0))
    return false
  }

  /// How far a value is from an alternative: another type is farthest, then another constant (most often the
  /// property that tells alternatives apart), then each further violation.
  private func distance(_ findings: [Run.Finding], _ element: JSONElement) -> Int {
    findings.reduce(0) { sum, finding in
      switch finding.keyword {
      case "type" where finding.place == element.index: sum + 1000
      case "const", "enum": sum + 100
      case "false_schema" where finding.place == element.index: sum + 1000
      default: sum + 1
      }
    }
  }
}

import Application
import Kernel

extension Program {
  func validate(_ document: borrowing JSONElement, limit: Int) -> [SchemaViolation] {
    let element = document.value(at: document.index)
    let scratch = scratches.current
    scratch.reset()
    let words = element.end - element.index
    var run = Run(scratch: scratch, limits: limits, limit: max(limit, 1), words: words)
    let isUnique = !hasDuplicateKey(element, &run)
    if isUnique, evaluate(root, element, &run, marks: -1), run.stop == nil { return [] }
    return violations(of: element, scratch, limit: max(limit, 1), words: words)
  }

  /// Goes through the document a second time, now to say what is wrong.
  @inline(never)
  private func violations(
    of element: JSONElement, _ scratch: Scratch, limit: Int, words: Int
  ) -> [SchemaViolation] {
    scratch.reset()
    var run = Run(scratch: scratch, limits: limits, limit: limit, words: words)
    run.isReporting = true
    _ = hasDuplicateKey(element, &run)
    _ = evaluate(root, element, &run, marks: -1)
    if let stop = run.stop {
      // What was found before holds; this comes first, since it explains why there is not more.
      if run.findings.count >= limit { run.findings.removeLast() }
      run.findings.insert(finding(for: stop.reason, at: stop.place), at: 0)
    }
    var violations: [SchemaViolation] = []
    for finding in run.findings {
      let violation = SchemaViolation(
        pointer: pointer(to: finding.place, in: element), keyword: finding.keyword, message: finding.message)
      if !violations.contains(violation) { violations.append(violation) }
    }
    return violations
  }

  private func finding(for stop: Run.Stop, at place: Int) -> Run.Finding {
    switch stop {
    case .depth:
      Run.Finding(
        place: place, keyword: "depth", message: "is nested too deeply to be checked; send it flatter")
    case .evaluations:
      Run.Finding(place: place, keyword: "limit", message: "takes too many steps to be checked; send less")
    case .pattern(let pattern):
      Run.Finding(
        place: place, keyword: "pattern",
        message: "takes too many steps to match \(patternTexts[Int(pattern)]); send a shorter text")
    }
  }

  /// The JSON Pointer, from `root`, of the value or key that stands at `place` on the tape.
  private func pointer(to place: Int, in root: JSONElement) -> String {
    var pointer = ""
    var element = root
    while element.index < place {
      let outer = element.index
      var members = element.members
      while members.next() {
        guard place < members.value.end else { continue }
        pointer += "/" + JSONPointer.escape([UInt8](members.key))
        if place == members.name.index { return pointer }
        element = members.value
        break
      }
      var elements = element.index == outer ? element.elements : element.value(at: outer).elements
      var ordinal = 0
      if element.index == outer {
        while elements.next() {
          if place < elements.value.end {
            pointer += "/\(ordinal)"
            element = elements.value
            break
          }
          ordinal += 1
        }
      }
      if element.index == outer { break }
    }
    return pointer
  }
}

import Kernel

extension Program {
  /// Whether a value satisfies a schema.
  ///
  /// `marks` is where in the scratch words the bits of the container's evaluated members are, for `unevaluated…`
  /// of a schema around this one; -1 when nobody asks.
  func evaluate(_ index: Int32, _ element: JSONElement, _ run: inout Run, marks: Int) -> Bool {
    if index == Program.anything { return true }
    if index == Program.nothing { return run.fail(element.index, "false_schema", "is not allowed here") }
    guard run.enter(at: element.index) else { return false }
    let valid = evaluateNode(tables.nodes[index], element, &run, marks: marks)
    run.leave()
    return valid
  }

  /// Whether a value satisfies a schema, without saying why not.
  func holds(_ index: Int32, _ element: JSONElement, _ run: inout Run, marks: Int) -> Bool {
    let wasReporting = run.isReporting
    run.isReporting = false
    let valid = evaluate(index, element, &run, marks: marks)
    run.isReporting = wasReporting
    return valid
  }

  private func evaluateNode(
    _ node: Node, _ element: JSONElement, _ run: inout Run, marks outer: Int
  ) -> Bool {
    let kind = element.kind
    var valid = true
    if !KindSet(rawValue: node.kinds).contains(kindSet(of: kind)) {
      // The other keywords speak of values of the right type.
      return run.fail(element.index, "type", ViolationText.type(KindSet(rawValue: node.kinds), kind))
    }
    if node.choices >= 0 { valid = chooses(node, element, &run) && valid }
    if !valid && !run.goesOn { return false }

    let scoped = isDynamic && enterScope(node.resource, &run)
    var marks = outer
    var taken = -1
    switch kind {
    case .object where node.unevaluatedProperties >= 0, .array where node.unevaluatedItems >= 0:
      // This schema sees what its own keywords evaluate, not what those beside it do.
      taken = run.scratch.takeBits(element.count)
      marks = taken
    default: break
    }
    switch kind {
    case .string:
      if node.strings >= 0 { valid = checkString(tables.strings[node.strings], element, &run) && valid }
    case .integer, .unsigned, .double:
      if node.numbers >= 0 {
        valid = checkNumber(tables.numbers[node.numbers], JSONNumber(kind)!, element, &run) && valid
      }
    case .object:
      if node.objects >= 0 {
        valid = checkObject(tables.objects[node.objects], element, &run, marks: marks) && valid
      }
    case .array:
      if node.arrays >= 0 {
        valid = checkArray(tables.arrays[node.arrays], element, &run, marks: marks) && valid
      }
    case .null, .bool: break
    }
    if node.steps.count > 0, valid || run.goesOn {
      for index in node.steps.indices {
        if !perform(tables.steps[index], element, &run, marks: marks) {
          valid = false
          if !run.goesOn { break }
        }
      }
    }
    if taken >= 0 {
      if valid || run.goesOn { valid = checkUnevaluated(node, element, &run, marks: marks) && valid }
      if outer >= 0, valid { run.scratch.merge(marks, into: outer, bits: element.count) }
      run.scratch.giveBack(to: taken)
    }
    if scoped { run.scratch.scope.removeLast() }
    return valid
  }

  @inline(__always)
  private func kindSet(of kind: JSONElement.Kind) -> KindSet {
    switch kind {
    case .object: .object
    case .array: .array
    case .string: .string
    case .null: .null
    case .bool: .boolean
    case .integer, .unsigned: .integer
    case .double(let value): value.rounded(.towardZero) == value ? .integer : .fraction
    }
  }

  private func enterScope(_ resource: Int32, _ run: inout Run) -> Bool {
    if run.scratch.scope.last == resource { return false }
    run.scratch.scope.append(resource)
    return true
  }

  private func chooses(_ node: Node, _ element: JSONElement, _ run: inout Run) -> Bool {
    var valid = choose(node.choices, element, &run)
    if node.moreChoices >= 0 { valid = choose(node.moreChoices, element, &run) && valid }
    return valid
  }

  private func choose(_ index: Int32, _ element: JSONElement, _ run: inout Run) -> Bool {
    let choices = tables.choices[index]
    if allows(choices, element) { return true }
    switch choices.keyword {
    case .const: return run.fail(element.index, "const", "must be \(choiceTexts[Int(index)])")
    case .enum: return run.fail(element.index, "enum", "must be one of \(choiceTexts[Int(index)])")
    }
  }

  // MARK: Scalars

  private func checkNumber(
    _ rules: NumberRules, _ number: JSONNumber, _ element: JSONElement, _ run: inout Run
  ) -> Bool {
    var valid = true
    if let bound = rules.minimum, number < bound {
      valid = run.fail(element.index, "minimum", "must be at least \(bound.text)")
    }
    if let bound = rules.maximum, bound < number {
      valid = run.fail(element.index, "maximum", "must be at most \(bound.text)")
    }
    if let bound = rules.exclusiveMinimum, !(bound < number) {
      valid = run.fail(element.index, "exclusiveMinimum", "must be more than \(bound.text)")
    }
    if let bound = rules.exclusiveMaximum, !(number < bound) {
      valid = run.fail(element.index, "exclusiveMaximum", "must be less than \(bound.text)")
    }
    if let divisor = rules.multipleOf, !divisor.divides(number) {
      valid = run.fail(element.index, "multipleOf", "must be a multiple of \(divisor.text)")
    }
    return valid
  }

  private func checkString(_ rules: StringRules, _ element: JSONElement, _ run: inout Run) -> Bool {
    guard let text = element.utf8 else { return true }
    var valid = true
    // A character takes one to four bytes: often that alone decides.
    if (text.count + 3) / 4 < rules.minLength, codePoints(text) < rules.minLength {
      valid = run.fail(
        element.index, "minLength", ViolationText.length(atLeast: rules.minLength, codePoints(text)))
    }
    if text.count > rules.maxLength, codePoints(text) > rules.maxLength {
      valid = run.fail(
        element.index, "maxLength", ViolationText.length(atMost: rules.maxLength, codePoints(text)))
    }
    if !valid && !run.goesOn { return false }
    if rules.pattern >= 0, !matches(rules.pattern, text, element.index, &run) {
      valid = run.fail(
        element.index, "pattern", "must match the regular expression \(patternTexts[Int(rules.pattern)])")
    }
    if let format = rules.format, !accepts(format, text, element.index, &run) {
      valid = run.fail(element.index, "format", "must be \(format.text)")
    }
    return valid
  }

  /// A regular expression of a document is compiled, which takes longer than its length says: it is bounded as those
  /// of schemas are, and its time counts as that of a match does.
  private func accepts(_ format: Format, _ text: Span<UInt8>, _ place: Int, _ run: inout Run) -> Bool {
    if format == .regex, text.count > limits.patternBytes || !run.scratch.matcher.hasTime() {
      run.halt(.evaluations, at: place)
      return false
    }
    return format.accepts(text)
  }

  private func codePoints(_ text: Span<UInt8>) -> Int {
    var count = 0
    // Bytes that continue a character are 10xxxxxx.
    for index in text.indices where text[index] & 0xC0 != 0x80 { count += 1 }
    return count
  }

  /// Whether a pattern occurs in a text. One that takes too long ends the validation.
  func matches(_ pattern: Int32, _ text: Span<UInt8>, _ place: Int, _ run: inout Run) -> Bool {
    switch run.scratch.matcher.find(tables.patterns[pattern], in: text) {
    case .yes: return true
    case .no: return false
    case .exhausted:
      run.halt(.pattern(pattern), at: place)
      return false
    }
  }
}

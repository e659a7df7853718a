import Application
import Domain
import Kernel

// The step after the answer was checked: what is sent of it, so that a model can take it.

/// How an answer came to be shorter than the handler's.
struct AnswerCut {
  /// What it would have been over.
  var source: AnswerBudget.Source
  /// How many records the handler was asked for last.
  var limit: Int
  /// How often it was asked.
  var attempts: Int
}

extension Gateway {
  /// Keeps the wanted fields, holds the answer to its budget, writes it as Markdown, and links a list's next page.
  ///
  /// `isParsed`: the thread's document is the answer. `.pending`: the handler makes a shorter page. [event]
  func shape(
    _ exchange: Exchange, _ call: Call, _ route: LiveRoute, markdown: Bool, isParsed: Bool = false
  ) -> Completion {
    if !markdown, call.wishes == nil, call.cut == nil, call.surelyFits(exchange.answerBody.count) {
      if route.outline.isList { linkNext(exchange, isParsed: isParsed) }
      return .answered
    }
    while case .again(let limit) = shapeOnce(exchange, call, route, markdown: markdown) {
      switch callAgain(exchange, call, route, limit: limit) {
      case .pending: return .pending
      case .answered: _ = check(exchange, call)
      }
    }
    return .answered
  }

  private enum Outcome {
    case ready
    /// Only a page of so many records fits.
    case again(limit: Int)
  }

  private func shapeOnce(
    _ exchange: Exchange, _ call: Call, _ route: LiveRoute, markdown: Bool
  ) -> Outcome {
    let (thread, body, budget) = (threads.current, exchange.answerBody, budget(call))
    guard body.count > 0 else { return .ready }
    guard exchange.status < 300, hasJSONType(exchange), isJSON(body, thread) else {
      holdText(exchange, call, route, budget)
      return .ready
    }
    if let fields = call.wishes?.fields { project(exchange, fields, thread.shaped) }
    var answer = JSONAnswer(body)
    if let cut = call.cut, answer.items != nil, route.outline.takesReason {
      exchange.addReason(cut.source, to: answer, scratch: thread.shaped)
      answer = JSONAnswer(body)
    }
    var rows: [AnswerBudget.Size]?
    if markdown { rows = write(answer, of: body, as: thread.shaped, cut: call.cut, budget) }
    let shown = markdown ? thread.shaped : body
    let size =
      budget.surelyFits(bytes: shown.count)
      ? nil : AnswerBudget.Size(shown.span(shown.all), in: budget.envelope)
    if let size, let source = budget.exceeded(by: size) {
      let limit = answer.items.flatMap {
        pageSize($0, of: body, rows, size, budget, call, route, next: answer.next)
      }
      guard let limit else {
        refuse(
          exchange,
          Gateway.tooLarge(
            size, source, budget, route, namesFields: call.wishes?.fields != nil, page: answer.items?.count,
            isDryRun: call.isDryRun, isWhole: !markdown || shown.count <= budget.mostBytes))
        return .ready
      }
      call.cut = AnswerCut(source: source, limit: limit, attempts: (call.cut?.attempts ?? 0) + 1)
      return .again(limit: limit)
    }
    finish(exchange, call, route, answer, markdown: markdown, thread)
    return .ready
  }

  /// What the request, its key and the host allow. [event]
  func budget(_ call: Call) -> AnswerBudget {
    var budget = call.wishes?.budget ?? AnswerBudget()
    if let routeCall = call.routeCall { budget.envelope = routeCall.envelope }
    budget.limit(
      to: call.answerLimit, call.answerLimit < limits.answerCharacters ? .key : .host)
    return budget
  }

  private func isJSON(_ body: Arena, _ thread: EventThread) -> Bool {
    do throws(JSONError) { try thread.json.parse(body.span(body.all)) } catch { return false }
    return true
  }

  // MARK: What is no JSON of a success

  /// Text of another kind, whatever it calls itself. Bytes that are no text have no characters. Problems are held by the host's
  /// limit alone: a caller's own must not hide what went wrong.
  private func holdText(_ exchange: Exchange, _ call: Call, _ route: LiveRoute, _ budget: AnswerBudget) {
    let body = exchange.answerBody
    if exchange.status >= 400 || budget.surelyFits(bytes: body.count) { return }
    guard Gateway.isText(body) || budget.envelope != .none else { return }
    let size = budget.envelope.size(ofText: body.span(body.all))
    guard let source = budget.exceeded(by: size) else { return }
    refuse(
      exchange,
      Gateway.tooLarge(
        size, source, budget, route, namesFields: true, page: nil, isDryRun: call.isDryRun, isWhole: true))
  }

  /// A problem that is too long itself. [event]
  func shortenProblem(_ exchange: Exchange, in envelope: AnswerEnvelope) {
    let body = exchange.answerBody
    let size = envelope.size(ofText: body.span(body.all))
    guard size.sent + envelope.frame > limits.answerCharacters, Gateway.isText(body) || envelope != .none
    else { return }
    refuse(
      exchange,
      Problem(
        exchange.status, "answer.too_large",
        "The request failed with status \(exchange.status); what the answer says of it is \(size.characters) characters long, and was left out. Go by the status; ask for less, or for one record at a time, to read why.",
        members: ["characters": .integer(Int64(size.characters)), "limited_by": "answers.max_characters"]))
  }

  private static func isText(_ body: Arena) -> Bool {
    (try? UTF8Span(validating: body.span(body.all))) != nil
  }

  // MARK: Fields

  private func project(_ exchange: Exchange, _ fields: FieldSelection, _ scratch: Arena) {
    let body = exchange.answerBody
    scratch.removeAll()
    let answer = JSONAnswer(body)
    let text = body.span(body.all)
    if let items = answer.items {
      scratch.append(UInt8(ascii: "{"))
      for (index, member) in answer.members.enumerated() {
        if index > 0 { scratch.append(UInt8(ascii: ",")) }
        scratch.append(text.extracting(member.key.lowerBound - 1..<member.key.upperBound + 1))
        scratch.append(UInt8(ascii: ":"))
        guard member.value == answer.itemsValue else {
          scratch.append(text.extracting(member.value))
          continue
        }
        scratch.append(UInt8(ascii: "["))
        for (index, item) in items.enumerated() {
          if index > 0 { scratch.append(UInt8(ascii: ",")) }
          fields.write(item, of: text, to: scratch)
        }
        scratch.append(UInt8(ascii: "]"))
      }
      scratch.append(UInt8(ascii: "}"))
    } else {
      fields.write(answer.root, of: text, to: scratch)
    }
    exchange.setBody(scratch)
  }

  // MARK: Pages

  /// How many of the records fit; nil where the handler cannot be asked for so many.
  private func pageSize(
    _ items: [Range<Int>], of body: Arena, _ rows: [AnswerBudget.Size]?, _ size: AnswerBudget.Size,
    _ budget: AnswerBudget, _ call: Call, _ route: LiveRoute, next: Range<Int>?
  ) -> Int? {
    // A job's handler is asked no more.
    guard route.outline.isList, call.isInside, let smallest = route.outline.smallestPage,
      (call.cut?.attempts ?? 0) < Gateway.mostAttempts
    else { return nil }
    // A handler that gives more than it was asked for cannot be cut.
    if let cut = call.cut, items.count > cut.limit { return nil }
    let text = body.span(body.all)
    let envelope = budget.envelope
    // One more for the comma.
    let sizes =
      rows
      ?? items.map { AnswerBudget.Size(text.extracting($0), in: envelope) + envelope.size(ofPlain: 1) }
    let frame = size - sizes.reduce(AnswerBudget.Size(), +)
    // What a shorter page says that this one does not: where it goes on, and why it ends there.
    let room = (next == nil ? Gateway.usualCursor : 0) + (call.cut == nil ? Gateway.reasonRoom : 0)
    // Where that room is all there is, a page without it may fit; if not, the next attempt knows better.
    for more in [room, 0] {
      let count = Gateway.fitting(
        sizes.dropLast(), into: budget, beside: frame + envelope.size(ofPlain: more))
      if count >= max(1, smallest) { return count }
    }
    return nil
  }

  private static func fitting(
    _ sizes: ArraySlice<AnswerBudget.Size>, into budget: AnswerBudget, beside frame: AnswerBudget.Size
  ) -> Int {
    var (used, count) = (frame, 0)
    for size in sizes {
      used = used + size
      if budget.exceeded(by: used) != nil { break }
      count += 1
    }
    return count
  }

  private static let mostAttempts = 4
  /// Characters of a cursor that is not known yet; a longer one costs another attempt.
  private static let usualCursor = 160
  private static let reasonRoom = 48

  // MARK: Finishing

  private func finish(
    _ exchange: Exchange, _ call: Call, _ route: LiveRoute, _ answer: JSONAnswer, markdown: Bool,
    _ thread: EventThread
  ) {
    if let cut = call.cut { exchange.addHeader("Answer-Truncated", cut.source.rawValue) }
    if let applied = call.wishes?.applied, !applied.isEmpty {
      exchange.addHeader("Preference-Applied", applied.joined(separator: ", "))
    }
    if route.outline.isList, answer.items != nil, let next = answer.next {
      let body = exchange.answerBody
      let cursor = JSONText.string(next, in: body.span(body.all))
      link(exchange, next: cursor.utf8.span, thread.scratch)
    }
    if markdown {
      exchange.setBody(thread.shaped)
      exchange.becomeMarkdown()
    }
  }

  /// All that a list needs of which nothing else is asked. [event]
  private func linkNext(_ exchange: Exchange, isParsed: Bool) {
    let (thread, body) = (threads.current, exchange.answerBody)
    guard exchange.status < 300, body.count > 0 else { return }
    guard isParsed || hasJSONType(exchange) && isJSON(body, thread) else { return }
    let json = thread.json
    if let next = json.root.member("next".utf8.span)?.utf8 { link(exchange, next: next, thread.scratch) }
  }

  /// The next page (RFC 8288), with everything else that the request asked for.
  func link(_ exchange: Exchange, next: Span<UInt8>, _ scratch: Arena) {
    scratch.removeAll()
    scratch.append(UInt8(ascii: "<"))
    RawQuery.write(path: exchange.rawPath, of: exchange.head, in: scratch)
    scratch.append(UInt8(ascii: "?"))
    RawQuery.write(exchange.rawQuery, of: exchange.head, setting: "after", to: next, in: scratch)
    scratch.append(">; rel=\"next\"")
    // The body has the cursor, too: a header that no client takes is worth nothing.
    if scratch.count <= Gateway.longestLink { exchange.addHeader("Link", scratch.span(scratch.all)) }
  }

  private static let longestLink = 8192
}

/// A JSON answer by its outermost parts.
struct JSONAnswer {
  let root: Range<Int>
  let members: [JSONText.Member]
  /// The records of `{"items": […], "next": …}`, or of an array; nil for one thing.
  let items: [Range<Int>]?
  let itemsValue: Range<Int>?
  /// The cursor, a string; nil where there is none.
  let next: Range<Int>?

  /// The arena holds valid JSON.
  init(_ body: Arena) {
    let text = body.span(body.all)
    root = JSONText.root(of: text)
    members = JSONText.members(of: root, in: text)
    var (list, cursor): (Range<Int>?, Range<Int>?) = (nil, nil)
    for member in members {
      let key = text.extracting(member.key)
      if list == nil, key.isEqual(to: "items") { list = member.value }
      if cursor == nil, key.isEqual(to: "next") { cursor = member.value }
    }
    if let list, let cursor, JSONText.first(list, text) == UInt8(ascii: "[") {
      itemsValue = list
      items = JSONText.elements(of: list, in: text)
      next = JSONText.first(cursor, text) == UInt8(ascii: "\"") ? cursor : nil
    } else {
      itemsValue = nil
      items = nil
      next = nil
    }
  }
}

extension Exchange {
  /// Puts another text in the place of the answer's body.
  func setBody(_ arena: Arena) {
    answerBody.removeAll()
    answerBody.append(arena.span(arena.all))
  }

  /// Says in the list itself why it ends where it does.
  func addReason(_ source: AnswerBudget.Source, to answer: JSONAnswer, scratch: Arena) {
    let body = answerBody
    let text = body.span(body.all)
    scratch.removeAll()
    scratch.append(text.extracting(answer.root.lowerBound..<answer.root.upperBound - 1))
    scratch.append(",\"truncated\":\"")
    scratch.append(source.rawValue)
    scratch.append("\"}")
    setBody(scratch)
  }

  /// The body is Markdown now, which the entity tag of the JSON does not name.
  func becomeMarkdown() {
    removeHeader("content-type")
    removeHeader("etag")
    addHeader("Content-Type", "text/markdown; charset=utf-8")
  }
}

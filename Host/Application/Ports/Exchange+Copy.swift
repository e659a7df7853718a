import Domain
package import Kernel

// One request in two exchanges: the connection's, and one that a handler keeps longer.

extension Exchange {
  /// Takes over a request as it was validated. This exchange was reset and opened. [event]
  package func copyRequest(of other: Exchange) {
    let (otherHead, otherBody) = (other.head, other.body)
    method = other.method
    // The whole head: every place in it means the same here.
    head.append(otherHead.span(otherHead.all))
    rawPath = other.rawPath
    rawQuery = other.rawQuery
    headers = other.headers
    known = other.known
    knownCount = other.knownCount
    body.append(otherBody.span(otherBody.all))
    started = other.started
    peer = other.peer
    path = other.path
    segments = other.segments
    parameters = other.parameters
    query = other.query
    requestID = other.requestID
    traceparent = other.traceparent
    principal = other.principal
    idempotencyKey = other.idempotencyKey
    confirmation = other.confirmation
    isDryRun = other.isDryRun
    deadline = other.deadline
  }

  /// Takes over an answer, in the place of one that may be here. By whoever claimed both.
  package func takeAnswer(of other: Exchange) {
    let (closes, otherHead, otherBody) = (closes, other.answerHead, other.answerBody)
    discardAnswer()
    self.closes = closes
    status = other.status
    source = other.source
    answerHead.append(otherHead.span(otherHead.all))
    answerHeaders = other.answerHeaders
    answerBody.append(otherBody.span(otherBody.all))
  }

  /// A copy of the answer that outlives this exchange.
  package var keptAnswer: KeptAnswer {
    let (head, body) = (answerHead, answerBody)
    return KeptAnswer(
      status: status,
      headers: answerHeaders.map {
        .init(name: Array(head.span($0.name)), value: Array(head.span($0.value)))
      }, body: Array(body.span(body.all)))
  }

  /// Takes over an answer that was kept.
  package func takeAnswer(_ kept: KeptAnswer) {
    let closes = closes
    discardAnswer()
    self.closes = closes
    status = kept.status
    for header in kept.headers { addHeader(header.name.span, header.value.span) }
    answerBody.append(kept.body)
  }

  /// Removes every header of the answer that has this name, in any case. `name` is lower case.
  package func removeHeader(_ name: StaticString) {
    let head = answerHead
    answerHeaders.removeAll { field in
      Int(field.name.count) == name.utf8CodeUnitCount && head.span(field.name).hasPrefix(ignoringCase: name)
    }
  }

  /// Sets a query parameter, in the place of those of that name, in the fields and in the text.
  package func setQuery(_ name: StaticString, _ value: String, scratch: Arena) {
    let head = head
    query.removeAll { head.span($0.name).isEqual(to: name) }
    query.append(Field(name: head.append(name), value: head.append(value)))
    scratch.removeAll()
    RawQuery.write(rawQuery, of: head, setting: name, to: value.utf8.span, in: scratch)
    rawQuery = head.append(scratch.span(scratch.all))
  }
}

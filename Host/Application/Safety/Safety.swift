package import Domain
package import Kernel

/// What makes writes safe for callers that may send one twice, or should not have sent it: confirmations, dry runs,
/// idempotency keys. One rule, whatever protocol the call came in.
package final class Safety: Sendable {
  package let ledger: any IdempotencyLedger
  private let confirmations: Confirmations
  private let digests: any Digests
  private let anonymousKeys: AnonymousKeys

  package init(
    ledger: any IdempotencyLedger, confirmations: Confirmations, digests: any Digests,
    anonymousKeys: AnonymousKeys = .refuse
  ) {
    self.anonymousKeys = anonymousKeys
    self.ledger = ledger
    self.confirmations = confirmations
    self.digests = digests
  }

  /// What is to happen with a valid call.
  package enum Decision {
    case run
    case dryRun
    /// Ask the ledger first. `refusal`: unless it knows the call, answer with this; it is not to begin.
    case keyed(KeyedCallName, refusal: Problem?)
  }

  /// Who calls: a key, or an address on a route that needs none.
  package struct Caller {
    package var key: KeyID?
    package var principal: String

    package init(key: KeyID?, principal: String) {
      self.key = key
      self.principal = principal
    }
  }

  /// Decides about a valid call to a route that changes something. `caller` is asked only when it matters. [event]
  @inline(__always)
  package func decide(
    _ exchange: Exchange, _ route: LiveRoute, _ scratch: Arena, caller: () throws(Problem) -> Caller
  ) throws(Problem) -> Decision {
    let declaration = route.declaration
    if !exchange.isDryRun, exchange.idempotencyKey.isEmpty, !declaration.confirm,
      declaration.idempotency != .required
    {
      return .run
    }
    return try decideSlowly(exchange, route, scratch, caller)
  }

  @inline(never)
  private func decideSlowly(
    _ exchange: Exchange, _ route: LiveRoute, _ scratch: Arena, _ caller: () throws(Problem) -> Caller
  ) throws(Problem) -> Decision {
    let declaration = route.declaration
    if declaration.streams, !exchange.idempotencyKey.isEmpty { throw Safety.noKeyOfStreams }
    if exchange.isDryRun {
      guard declaration.dryRun else { throw Safety.noDryRun }
      SafetyWords.showDryRun(exchange)
      return .dryRun
    }
    let caller = try caller()
    let fingerprint = CallFingerprint.of(exchange, route, digests, scratch)
    var refusal: Problem?
    if declaration.confirm {
      SafetyWords.takeConfirmation(fromHeadersOf: exchange)
      refusal = unconfirmed(exchange, route, fingerprint, caller)
    }
    if exchange.idempotencyKey.isEmpty {
      if declaration.idempotency == .required { throw Safety.keyMissing }
      let isGenuine = refusal == nil || refusal?.code == Safety.expired
      guard declaration.confirm, declaration.idempotency != .none, isGenuine else {
        if let refusal { throw refusal }
        let head = exchange.head
        // Nothing is remembered of such a call but that it was confirmed.
        if declaration.confirm, !confirmations.use(head.span(exchange.confirmation)) {
          throw ask(exchange, route, fingerprint, whose(exchange, caller), Safety.used)
        }
        return .run
      }
      // What was confirmed once takes effect once: the token is the key of its call, also when it has expired since.
      exchange.idempotencyKey = exchange.confirmation
      return .keyed(name(exchange, fingerprint, caller, kind: "confirmed"), refusal: refusal)
    }
    if caller.key == nil, anonymousKeys == .refuse { throw Safety.callerUnknown }
    return .keyed(name(exchange, fingerprint, caller, kind: "key"), refusal: refusal)
  }

  /// An idempotency key belongs to the principal of an API key.
  ///
  /// The draft (section 5) wants a composite key: what the client sent, together with what else the server knows of that client, so
  /// that whoever guesses a key gets no answer of another's. Of a caller without an API key that is the address alone, which
  /// behind a proxy is everybody's: ``AnonymousKeys`` says whether that will do.
  private func name(
    _ exchange: Exchange, _ fingerprint: Digest256, _ caller: Caller, kind: StaticString
  ) -> KeyedCallName {
    let who = caller.key == nil ? "address \(exchange.peer.0) \(exchange.peer.1)" : "key \(caller.principal)"
    let (head, text) = (exchange.head, Arena(capacity: 512))
    CallFingerprint.append(who.utf8.span, to: text)
    text.append(kind)
    text.append(UInt8(ascii: " "))
    text.append(head.span(exchange.idempotencyKey))
    return KeyedCallName(id: digests.sha256(text.span(text.all)), fingerprint: fingerprint, caller: who)
  }

  // MARK: Confirming

  private static let expired = "confirmation.expired"
  private static let required: Asking = (
    "confirmation.required", "Nothing was done yet: this call needs to be confirmed."
  )
  private static let late: Asking = (expired, "Nothing was done: the confirmation has expired.")
  private static let foreign: Asking = (
    "confirmation.mismatch",
    "Nothing was done: the confirmation is not one of this very call, its idempotency key included, by this very API key."
  )
  private static let used: Asking = (
    "confirmation.used",
    "Nothing was done now: the confirmation was used before, or cannot be told from one that was, so this call may have taken effect already. Read what it would change before you confirm it again."
  )

  /// Whose confirmation it is. One confirmation, one effect: a token of a call with an idempotency key is of that key, for
  /// what takes effect is remembered under it.
  private func whose(_ exchange: Exchange, _ caller: Caller) -> String {
    let head = exchange.head
    return (caller.key.map { "key \($0.words)" } ?? "address \(exchange.peer.0) \(exchange.peer.1)") + " "
      + String(head.span(exchange.idempotencyKey))
  }

  /// nil: the call is confirmed.
  private func unconfirmed(
    _ exchange: Exchange, _ route: LiveRoute, _ fingerprint: Digest256, _ caller: Caller
  ) -> Problem? {
    let who = whose(exchange, caller)
    guard !exchange.confirmation.isEmpty else {
      return ask(exchange, route, fingerprint, who, Safety.required)
    }
    let head = exchange.head
    switch confirmations.judge(head.span(exchange.confirmation), fingerprint, caller: who.utf8.span) {
    case .valid: return nil
    case .expired: return ask(exchange, route, fingerprint, who, Safety.late)
    case .foreign: return ask(exchange, route, fingerprint, who, Safety.foreign)
    }
  }

  private typealias Asking = (code: String, why: String)

  /// Says what the call would do, with a token for it.
  private func ask(
    _ exchange: Exchange, _ route: LiveRoute, _ fingerprint: Digest256, _ who: String, _ asking: Asking
  ) -> Problem {
    let head = exchange.head
    let declaration = route.declaration
    let path = route.generation.manifest.root + String(head.span(exchange.path))
    let effect = declaration.summary.isEmpty ? declaration.operation : declaration.summary
    let token = confirmations.issue(fingerprint, caller: who.utf8.span)
    let preview =
      declaration.dryRun ? " To see what it would answer, send it with 'Prefer: dry-run' first." : ""
    return Problem(
      428, asking.code,
      "\(asking.why) It would do '\(effect)' (\(declaration.method.rawValue) \(path.prefix(200))). If that is what is wanted, make exactly the same call again by \(token.expires.text) with the value of 'confirm' as header X-Confirm, as query parameter or body member 'confirm', or by name as argument 'confirm'.\(preview)",
      members: [
        "confirm": .string(token.text), "confirm_expires": .string(token.expires.text),
        "operation": .string(declaration.operation),
      ])
  }
}

// MARK: - What a caller is told

extension Safety {
  static let noDryRun = Problem(
    422, "dry_run.unsupported",
    "Nothing was done: this route cannot be tried without effect. Send the call without the wish for a dry run if it may take effect."
  )

  static let noKeyOfStreams = Problem(
    422, "idempotency.stream_unsupported",
    "Nothing was done: this route answers with a stream, which cannot be kept under an idempotency key to be sent again. Send the call without the key, once; if it breaks off, read what it changed before you send it again."
  )

  static let keyMissing = Problem(
    400, "idempotency.key_missing",
    "Nothing was done: this route needs an idempotency key. Make one for this operation, like a UUID, send it as header Idempotency-Key, query parameter or body member 'idempotency_key', and send the same one when you repeat the call."
  )

  static let callerUnknown = Problem(
    400, "idempotency.caller_unknown",
    "Nothing was done: an idempotency key belongs to its caller, and this request does not say who calls. Send it with an API key, as 'Authorization: Bearer <key>', or without the idempotency key if it may take effect twice."
  )

  package static let keyReused = Problem(
    422, "idempotency.key_reused",
    "Nothing was done: this idempotency key was used for another call, with another route, parameter or body. Use a new key for a new operation; repeat a call with everything as it was."
  )

  package static let inProgress = Problem(
    409, "idempotency.in_progress",
    "A call with this idempotency key is under way. Send the same call again after the time in Retry-After: it will be answered with what came of the first.",
    retryAfterSeconds: 1)

  /// As ``inProgress``, of a call that is a job by now.
  package static func inProgress(as job: String) -> Problem {
    Problem(
      409, inProgress.code,
      "The call with this idempotency key is under way as a job. \(JobOperation.nextStep(job)) The same call sent again once it has ended is answered with what came of it, too.",
      members: ["job": .string(job), "poll": .string(JobOperation.path(job))], retryAfterSeconds: 1)
  }

  package static let outcomeUnknown = Problem(
    409, "idempotency.outcome_unknown",
    "A call with this idempotency key was begun, and how it ended is not known: it may have taken effect or not. It is not run again. Read what it would have changed with a call that only reads; if it did not take effect, send the call with a new key."
  )

  package static func answerNotKept(_ status: Int) -> Problem {
    Problem(
      409, "idempotency.answer_not_kept",
      "The call with this idempotency key was answered \(status), and its answer was not kept: it was too large, or there are too many of yours. It is not run again. Read what it changed with a call that only reads; for another operation use a new key.",
      members: ["answered_status": .integer(Int64(status))])
  }
}

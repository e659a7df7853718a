package import Kernel

/// One call with an Idempotency-Key, as the ledger knows it.
package struct KeyedCallName: Sendable, Equatable {
  /// Of the caller and the key: what is remembered once.
  package var id: Digest256
  /// Of the request: method, target and body. The same key with another one is a mistake.
  package var fingerprint: Digest256
  /// Whose calls are counted together.
  package var caller: String

  package init(id: Digest256, fingerprint: Digest256, caller: String) {
    self.id = id
    self.fingerprint = fingerprint
    self.caller = caller
  }
}

/// An answer without an exchange, as a handler gave it: what the host adds to every answer is not in it.
package struct KeptAnswer: Sendable, Equatable {
  package struct Header: Sendable, Equatable {
    package var name: [UInt8]
    package var value: [UInt8]

    package init(name: [UInt8], value: [UInt8]) {
      self.name = name
      self.value = value
    }
  }

  package var status: Int
  package var headers: [Header]
  package var body: [UInt8]

  package init(status: Int, headers: [Header], body: [UInt8]) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// What it takes, as near as it matters.
  package var byteCount: Int {
    headers.reduce(body.count) { $0 + $1.name.count + $1.value.count + MemoryLayout<Header>.stride }
  }
}

/// What the ledger knows of a call when it comes.
package enum Reservation: Sendable, Equatable {
  /// Nothing: it is this request's now, and the ledger says so until it is told otherwise or the time is up.
  case begins(expires: Timestamp)
  /// Nothing, and the request is not to begin it.
  case absent
  case answered(KeptAnswer, expires: Timestamp)
  /// Answered with this status; the answer was too large to keep, or its caller has no room.
  case answerNotKept(status: Int)
  /// A request works on it.
  case inProgress
  /// It began, and nobody will learn how it ended.
  case unknown
  /// The key was used for another request.
  case reused
}

/// Remembers the calls that name an Idempotency-Key, until they expire; over restarts and crashes of the host.
///
/// Nothing waits here: what is asked for is done by a thread of the ledger, which then calls `then`, once.
package protocol IdempotencyLedger: AnyObject, Sendable {
  /// Looks a call up; one that is not known is reserved when it `mayBegin`. The reservation is durable when `then`
  /// runs. Fails with `idempotency.full`, `idempotency.overloaded` or `idempotency.unavailable`, all 503: then
  /// nothing was reserved, and the call must not run. [any]
  func reserve(
    _ call: KeyedCallName, mayBegin: Bool,
    then: @escaping @Sendable (Result<Reservation, Problem>) -> Void)

  /// Keeps the answer of a call that this reserved, or only its status where there is none. It is durable when `then` runs without a problem; with one, the call
  /// counts as ended in a way that is not known. [any]
  func complete(
    _ id: Digest256, status: Int, _ answer: KeptAnswer?, then: @escaping @Sendable (Problem?) -> Void)

  /// Nothing was done: the call may come again. [any]
  func release(_ id: Digest256)

  /// The call was begun and its handler may work on: how it ends will not be known. [any]
  func lose(_ id: Digest256)

  /// Of a body: a larger one is not kept, and need not be handed over.
  var answerBytes: Int { get }
}

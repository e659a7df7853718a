extension Exchange {
  /// Where an answer comes from.
  package enum AnswerSource: Sendable {
    /// A handler, or the host in its place.
    case handler
    /// What the ledger says of a call with an idempotency key: no handler ran for this request.
    case ledger
    /// The ledger too: an answer that was kept there.
    case replay
  }

  package var isFromLedger: Bool { source != .handler }
  package var isReplayed: Bool { source == .replay }
}

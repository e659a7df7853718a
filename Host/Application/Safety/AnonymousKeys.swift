/// What becomes of the idempotency keys of callers without an API key.
package enum AnonymousKeys: String, Sendable, CaseIterable {
  /// 400 `idempotency.caller_unknown`.
  case refuse
  /// They belong to the address: all who come through one proxy have their keys in common, and who sends the key and the
  /// call of another is answered as that one was.
  case address
}

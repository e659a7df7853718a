extension KeyTable {
  /// Who calls: UTF-8 without control characters, at most ``maxPrincipalBytes``. Lent as long as the table lives.
  @_lifetime(borrow self)
  package func principal(of grant: KeyGrant) -> Span<UInt8> {
    // Safe: the bytes live as long as `entries`, a constant of this table.
    let span = unsafe Span(_unsafeElements: entries.principal(Int(grant.number)))
    return unsafe _overrideLifetime(span, borrowing: self)
  }
}

/// One value of one record, in the form that engines keep.
package enum RecordValue: Sendable, Hashable {
  case null
  case integer(Int64)
  case number(Double)
  case boolean(Bool)
  /// UTF-8 of a string, of a timestamp (24 bytes, UTC, milliseconds), or compact JSON; its field says which.
  case text([UInt8])
}

/// Encrypts single values of records. Concurrent.
///
/// `context` is bound to the value: what was sealed in one context opens in no other, so a value cannot be moved to
/// another record or field.
package protocol FieldCipher: AnyObject, Sendable {
  /// Encrypts with the newest key. Equal values differ every time.
  func seal(_ plain: Span<UInt8>, context: Span<UInt8>) -> [UInt8]

  /// The value that ``seal(_:context:)`` was given, with any key that is configured.
  func open(_ sealed: Span<UInt8>, context: Span<UInt8>) throws(FieldCipherError) -> [UInt8]

  /// What stands for a value where it is compared for equality: the same for equal values of one scope, and nothing
  /// without the key. One for each key, the newest first.
  func fingerprints(_ plain: Span<UInt8>, scope: Span<UInt8>) -> [String]
}

package enum FieldCipherError: Error, Sendable, Equatable {
  /// The value was sealed with a key that is not configured.
  case unknownKey(id: String)
  /// The value was changed, moved, or never was sealed.
  case notAuthentic
}

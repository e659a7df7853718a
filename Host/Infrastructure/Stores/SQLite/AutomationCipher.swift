import Application

/// The cipher as one automation has it: what was sealed for one opens in no other, and equal values of two do not
/// look alike.
final class AutomationCipher: FieldCipher {
  private let cipher: any FieldCipher
  private let prefix: [UInt8]

  init(_ cipher: any FieldCipher, _ automation: String) {
    self.cipher = cipher
    // No name holds a slash, so what follows cannot be taken for a part of it.
    prefix = Array((automation + "/").utf8)
  }

  func seal(_ plain: Span<UInt8>, context: Span<UInt8>) -> [UInt8] {
    let bound = bound(context)
    return cipher.seal(plain, context: bound.span)
  }

  func open(_ sealed: Span<UInt8>, context: Span<UInt8>) throws(FieldCipherError) -> [UInt8] {
    let bound = bound(context)
    return try cipher.open(sealed, context: bound.span)
  }

  func fingerprints(_ plain: Span<UInt8>, scope: Span<UInt8>) -> [String] {
    let bound = bound(scope)
    return cipher.fingerprints(plain, scope: bound.span)
  }

  private func bound(_ text: Span<UInt8>) -> [UInt8] {
    var bytes = prefix
    bytes.reserveCapacity(prefix.count + text.count)
    for index in text.indices { bytes.append(text[index]) }
    return bytes
  }
}

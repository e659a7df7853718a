/// A 64-bit hash of bytes by folded multiplication (after Wang Yi, "wyhash"). Not for cryptography: with a
/// secret seed, a caller who cannot see hashes cannot choose keys that collide.
func hash(_ bytes: Span<UInt8>, seed: UInt64) -> UInt64 {
  unsafe bytes.withUnsafeBytes { raw in
    let count = raw.count
    var state = seed ^ UInt64(count) &* 0x9E37_79B9_7F4A_7C15
    // Safe: each load below lies within `count` bytes, as its branch proved; loads may overlap.
    if count >= 8 {
      var offset = 0
      while offset + 8 < count {
        state = unsafe fold(state ^ load(raw, offset, UInt64.self), 0xE703_7ED1_A0B4_28DB)
        offset += 8
      }
      state ^= unsafe load(raw, count - 8, UInt64.self)
    } else if count >= 4 {
      state ^= unsafe load(raw, 0, UInt32.self) | load(raw, count - 4, UInt32.self) << 32
    } else if count > 0 {
      state ^= unsafe UInt64(raw[0]) | UInt64(raw[count / 2]) << 8 | UInt64(raw[count - 1]) << 16
    }
    return fold(state, 0x8EBC_6AF0_9C88_C6E3)
  }
}

/// Mixes two words into one.
@inline(__always)
func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
  let product = (a ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: b)
  return product.high ^ product.low
}

@inline(__always)
private func load<Word: FixedWidthInteger & BitwiseCopyable>(
  _ raw: UnsafeRawBufferPointer, _ offset: Int, _ type: Word.Type
) -> UInt64 {
  unsafe UInt64(truncatingIfNeeded: raw.loadUnaligned(fromByteOffset: offset, as: type))
}

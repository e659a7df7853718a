package import Kernel

/// The request id and the W3C trace context of a request.
///
/// A valid `traceparent` is continued: same trace, a new parent. The request id is the host's own, for a caller
/// must not be able to make two requests look like one.
package struct TraceContext {
  /// Not for secrets: ids only need to differ. xoshiro256**, Blackman and Vigna, seeded from the system.
  package struct Generator {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    package init() {
      var system = SystemRandomNumberGenerator()
      state = (system.next(), system.next(), system.next(), system.next() | 1)
    }

    mutating func next() -> UInt64 {
      let result = rotate(state.1 &* 5, 7) &* 9
      let shifted = state.1 << 17
      state.2 ^= state.0
      state.3 ^= state.1
      state.1 ^= state.2
      state.0 ^= state.3
      state.2 ^= shifted
      state.3 = rotate(state.3, 45)
      return result
    }

    private func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 { word << count | word >> (64 - count) }
  }

  package static let traceparentBytes = 55

  /// Writes the request's ids into its head.
  package static func begin(_ exchange: Exchange, _ random: inout Generator) {
    let head = exchange.head
    let high = random.next()
    let low = random.next() | 1
    let start = head.count
    head.append(hex: high)
    head.append(hex: low)
    exchange.requestID = ByteRange(offset: start, count: 32)

    let parent = head.count
    let incoming = exchange[.traceparent]
    if exchange.has(.traceparent), isValid(incoming, in: head) {
      head.copy(ByteRange(offset: incoming.start, count: 36))
      head.append(hex: random.next() | 1)
      head.copy(ByteRange(offset: incoming.start + 52, count: 3))
    } else {
      head.append("00-")
      head.copy(exchange.requestID)
      head.append(UInt8(ascii: "-"))
      head.append(hex: random.next() | 1)
      head.append("-01")
    }
    exchange.traceparent = ByteRange(offset: parent, count: traceparentBytes)
  }

  /// `00-<32 hex>-<16 hex>-<2 hex>`, lower case, neither id all zeros.
  package static func isValid(_ range: ByteRange, in head: Arena) -> Bool {
    guard range.count == UInt32(traceparentBytes) else { return false }
    var traceBits: UInt8 = 0
    var parentBits: UInt8 = 0
    for place in 0..<traceparentBytes {
      let byte = head[range.start + place]
      switch place {
      case 0, 1: if byte != UInt8(ascii: "0") { return false }
      case 2, 35, 52: if byte != UInt8(ascii: "-") { return false }
      default:
        guard let value = Hex.value(of: byte), byte < UInt8(ascii: "A") || byte >= UInt8(ascii: "a") else {
          return false
        }
        if place < 35 { traceBits |= value } else if place < 52 { parentBits |= value }
      }
    }
    return traceBits != 0 && parentBits != 0
  }
}

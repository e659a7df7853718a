package import Kernel

/// Rate-limit state of callers that no ``KeyTable`` entry stands for: anonymous addresses, and keys on routes
/// with a limit of their own. A fixed amount of memory, no locks, no clean-up.
///
/// Cells stand in buckets of four, one cache line each. A caller's cell is found in its bucket by a 64-bit
/// tag. A cell whose quota is all back says nothing any more and is taken over by the next new caller.
/// When all four cells of a bucket are in use, a new caller shares the one that is free soonest: a full
/// table refuses early, and never lets anyone have more than the limit. Which callers meet in a bucket depends
/// on a random seed, so nobody can aim at another.
///
/// Two threads that bring a new caller's first requests at the same instant may take two cells for it; the
/// first one in the bucket is used from then on, so such a caller gains one request at most per thread.
package final class LimitCells: Sendable {
  private let words: AtomicWords
  private let mask: Int
  private let seed: (UInt64, UInt64)

  private static let ways = 4

  /// `buckets` is a power of two; each takes 64 bytes once it is used.
  package init(buckets: Int = 16_384, seed: (UInt64, UInt64)) {
    precondition(buckets > 0 && buckets & (buckets - 1) == 0 && buckets <= 1 << 24)
    words = AtomicWords(count: buckets * LimitCells.ways * 2)
    mask = buckets - 1
    self.seed = seed
  }

  /// Takes one request of the caller that `tag` names, at `now`. [any]
  package func take(_ tag: CallerTag, _ limit: GCRA, at now: Instant) -> RateDecision {
    let mixed = tag.mixed(with: seed)
    // 0 marks a cell that was never used.
    let wanted = mixed == 0 ? 1 : mixed
    let bucket = Int(truncatingIfNeeded: mixed >> 32) & mask
    let cell = claim(wanted, in: bucket * LimitCells.ways * 2, at: now)
    return limit.take(
      at: now, load: { Int64(bitPattern: words.load(cell + 1)) },
      exchange: { expected, desired in
        let result = words.compareExchange(
          cell + 1, expected: UInt64(bitPattern: expected), desired: UInt64(bitPattern: desired))
        return (result.exchanged, Int64(bitPattern: result.original))
      })
  }

  /// The place of the cell to charge: the caller's own, a free one that becomes its own, or a shared one.
  private func claim(_ wanted: UInt64, in first: Int, at now: Instant) -> Int {
    // Each further round means that another caller took the cell we wanted; after three, share.
    for _ in 0..<3 {
      var soonest = first
      var soonestArrival = Int64.max
      for way in 0..<LimitCells.ways {
        let cell = first + way * 2
        if words.load(cell) == wanted { return cell }
        let arrival = Int64(bitPattern: words.load(cell + 1))
        if arrival < soonestArrival { (soonest, soonestArrival) = (cell, arrival) }
      }
      guard soonestArrival <= now.nanoseconds else { return soonest }
      let owner = words.load(soonest)
      // An arrival in the past is as good as none, so only the tag is written.
      if words.compareExchange(soonest, expected: owner, desired: wanted).exchanged { return soonest }
    }
    return first
  }
}

/// Who is limited: two words that name a caller, and the route if the limit is the route's.
package struct CallerTag: Sendable, Hashable {
  private var first: UInt64
  private var second: UInt64

  /// A key on a route with its own limit. `route` is any number that stays the same over a reload.
  package init(key: KeyID, route: UInt64) {
    first = key.low
    second = UInt64(key.high) << 32 ^ (route &* 0x9E37_79B9_7F4A_7C15) ^ 1
  }

  /// An address: 16 bytes as two words in network order, IPv4 mapped into IPv6. Of an IPv6 address the first
  /// 64 bits count, since one subscriber has all that follow.
  package init(peer: (UInt64, UInt64), route: UInt64 = 0) {
    let isMapped = peer.0 == 0 && peer.1 >> 32 == 0xFFFF
    first = isMapped ? peer.1 : peer.0
    second = (route &* 0x9E37_79B9_7F4A_7C15) ^ (isMapped ? 2 : 3)
  }

  /// 64 bits that depend on every bit of the tag and of the seed (the multiply-and-fold of wyhash).
  func mixed(with seed: (UInt64, UInt64)) -> UInt64 {
    let half = fold(first, second, seed)
    return fold(half, 0xA076_1D64_78BD_642F, seed)
  }
}

/// Two words and a random seed, hashed into one: the two halves of a 128-bit product, folded.
@inline(__always)
func fold(_ a: UInt64, _ b: UInt64, _ seed: (UInt64, UInt64)) -> UInt64 {
  // The constants keep a small seed from making a factor 0.
  let first = a ^ seed.0 ^ 0xE703_7ED1_A0B4_28DB
  let second = b ^ seed.1 ^ 0x8EBC_6AF0_9C88_C6E3
  let product = first.multipliedFullWidth(by: second)
  return product.high ^ product.low
}

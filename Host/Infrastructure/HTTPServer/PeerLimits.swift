import Kernel

/// Counts the open connections of each address.
package final class PeerLimits: Sendable {
  package struct Peer: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(_ address: (UInt64, UInt64)) {
      high = address.0
      low = address.1
    }

    /// 127.0.0.0/8 and ::1.
    package var isLoopback: Bool {
      high == 0 && (low == 1 || low >> 24 == 0x0000_FFFF_7F)
    }
  }

  private let limit: Int
  private let counts = Monitor<[Peer: Int]>([:])

  /// `limit` 0 admits everybody.
  package init(limit: Int) { self.limit = limit }

  /// Counts one more connection of a peer; false when it has as many as it may.
  package func admit(_ address: (UInt64, UInt64)) -> Bool {
    let peer = Peer(address)
    guard limit > 0, !peer.isLoopback else { return true }
    return counts.withLock { counts in
      let open = counts[peer, default: 0]
      guard open < limit else { return false }
      counts[peer] = open + 1
      return true
    }
  }

  /// A connection that was admitted is closed.
  package func leave(_ address: (UInt64, UInt64)) {
    let peer = Peer(address)
    guard limit > 0, !peer.isLoopback else { return }
    counts.withLock { counts in
      guard let open = counts[peer] else { preconditionFailure("a peer left that never came") }
      counts[peer] = open > 1 ? open - 1 : nil
    }
  }
}

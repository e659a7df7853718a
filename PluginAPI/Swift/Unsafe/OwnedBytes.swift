import CCouncil

/// Bytes that the host handed over; released when the last owner is gone.
// Safe to share: the bytes never change, and they may be released on any thread.
@safe final class OwnedBytes: @unchecked Sendable {
  private let owned: council_owned_v1

  init(_ owned: council_owned_v1) { unsafe self.owned = owned }

  deinit { unsafe owned.release?(owned.ctx) }

  func withBytes<R>(_ read: (Span<UInt8>) throws -> R) rethrows -> R {
    // Safe: the host keeps the bytes until release, which waits for self.
    try unsafe read(UnsafeBufferPointer(start: owned.ptr, count: owned.len).span)
  }

  var array: [UInt8] { unsafe Array(UnsafeBufferPointer(start: owned.ptr, count: owned.len)) }

  /// The same bytes for the host to own: it keeps this object until it releases them.
  func handedOver() -> council_owned_v1 {
    unsafe council_owned_v1(
      ptr: owned.ptr, len: owned.len, release: releaseOwnedBytes, ctx: Unmanaged.passRetained(self).toOpaque()
    )
  }
}

/// Called once by the host, on any thread.
private func releaseOwnedBytes(_ context: UnsafeMutableRawPointer?) {
  guard let context = unsafe context else { return }
  // Safe: the pointer is what handedOver() retained.
  unsafe Unmanaged<OwnedBytes>.fromOpaque(context).release()
}

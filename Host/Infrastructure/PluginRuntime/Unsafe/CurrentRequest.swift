import Application
import CCrashPage
import CPlugins
import Glibc
import Kernel
import Synchronization

/// Finds the exchange that a `council_request` names.
///
/// A handler that asks about the request it was called with, which is nearly always, finds it in a variable of
/// its thread; others go through the process' one table.
@safe
enum CurrentRequest {
  // Written once by `install`, then only read: that is what makes it safe on every thread.
  private static let table = Atomic<UInt>(0)

  /// Makes the table known that names are looked up in. A process has one.
  static func install(_ exchanges: any ExchangeTable) {
    let box = unsafe UInt(bitPattern: Unmanaged.passRetained(ExchangeTableBox(exchanges)).toOpaque())
    let (installed, original) = table.compareExchange(
      expected: 0, desired: box, ordering: .acquiringAndReleasing)
    if installed { return }
    // Safe: both are retained boxes; the new one is given back.
    unsafe Unmanaged<ExchangeTableBox>.fromOpaque(UnsafeRawPointer(bitPattern: box)!).release()
    let known = unsafe Unmanaged<ExchangeTableBox>.fromOpaque(UnsafeRawPointer(bitPattern: original)!)
      .takeUnretainedValue()
    precondition(known.table === exchanges, "a process has one table of exchanges")
  }

  /// The exchange a name points into; it may have gone on to another request.
  static func find(_ request: UInt64) -> Exchange? {
    if let own = inHandler(request) { return own }
    let slot = UInt32(truncatingIfNeeded: request)
    let bits = table.load(ordering: .acquiring)
    guard slot > 0, bits != 0 else { return nil }
    // Safe: `install` retained the box for the life of the process.
    let box = unsafe Unmanaged<ExchangeTableBox>.fromOpaque(UnsafeRawPointer(bitPattern: bits)!)
      .takeUnretainedValue()
    return box.table.exchange(slot: slot - 1)
  }

  /// The exchange, when the calling thread is in the handler of this very request: what is borrowed may be read.
  static func inHandler(_ request: UInt64) -> Exchange? {
    let frame = unsafe cplugins_current_frame()!
    guard request != 0, unsafe frame.pointee.request == request, let own = unsafe frame.pointee.exchange
    else { return nil }
    // Safe: `run` keeps the exchange alive while the frame names it.
    return unsafe Unmanaged<Exchange>.fromOpaque(own).takeUnretainedValue()
  }

  /// Whether the calling thread is an event thread in a handler.
  static var isInline: Bool {
    let frame = unsafe cplugins_current_frame()!
    return unsafe frame.pointee.request != 0 && frame.pointee.is_inline != 0
  }

  /// Whether the calling thread is in the handler of a dry run.
  static var isDryRun: Bool {
    let frame = unsafe cplugins_current_frame()!
    guard unsafe frame.pointee.request != 0, let own = unsafe frame.pointee.exchange else { return false }
    // Safe: `run` keeps the exchange alive while the frame names it.
    return unsafe Unmanaged<Exchange>.fromOpaque(own).takeUnretainedValue().isDryRun
  }

  /// The answer to `request` was written by its own handler, on this thread, which is an event thread: nobody has
  /// to be woken. False: the edge must be told.
  static func answeredInline(_ request: UInt64) -> Bool {
    let frame = unsafe cplugins_current_frame()!
    guard unsafe frame.pointee.request == request else { return false }
    unsafe frame.pointee.answered = 1
    return unsafe frame.pointee.is_inline != 0
  }

  /// Which handler runs.
  struct Place {
    var crashEntry: UInt32
    var route: UInt32
    var isInline: Bool
  }

  /// The handler of `request`, if the calling thread is in it, tried an answer that breaks a rule of council.h.
  static func noteRefusal(_ request: UInt64) {
    let frame = unsafe cplugins_current_frame()!
    if unsafe frame.pointee.request == request { unsafe frame.pointee.refused = 1 }
  }

  /// Runs a handler as the one of `request`, and notes it in the crash page. Returns its result, whether it answered on this
  /// thread, and whether it tried an answer that breaks a rule.
  @inline(__always)
  static func run(
    _ request: UInt64, _ exchange: Exchange, _ place: Place, _ body: () -> Int32
  ) -> (status: Int32, answered: Bool, refused: Bool) {
    let frame = unsafe cplugins_current_frame()!
    // A handler that is called from within a handler of the same thread finds its own frame again.
    let outer = unsafe frame.pointee
    unsafe frame.pointee = cplugins_frame(
      request: request, exchange: Unmanaged.passUnretained(exchange).toOpaque(), scratch: nil,
      scratch_bytes: 0, is_inline: place.isInline ? 1 : 0, answered: 0, refused: 0)
    let call = UInt32(place.isInline ? CCRASH_HANDLE_INLINE : CCRASH_HANDLE)
    let id = exchange.requestID
    // Safe: the id is 32 characters of the head, which nothing is appended to during the call.
    let before = unsafe ccrash_enter(
      place.crashEntry, place.route, call, id.count == 32 ? exchange.head.pointer(id) : nil)
    let status = body()
    ccrash_leave(before)
    let answered = unsafe frame.pointee.answered != 0
    let refused = unsafe frame.pointee.refused != 0
    if let scratch = unsafe frame.pointee.scratch { unsafe free(scratch) }
    unsafe frame.pointee = outer
    return (status, answered, refused)
  }

  /// Bytes that live until the handler of the calling thread returns.
  @unsafe
  static func scratch(_ bytes: Span<UInt8>) -> UnsafePointer<UInt8>? {
    let frame = unsafe cplugins_current_frame()!
    if unsafe frame.pointee.scratch == nil {
      guard let memory = unsafe malloc(max(1, bytes.count)) else { return nil }
      unsafe bytes.withUnsafeBytes { source in
        if let from = source.baseAddress { unsafe _ = memcpy(memory, from, source.count) }
      }
      unsafe frame.pointee.scratch = memory
      unsafe frame.pointee.scratch_bytes = bytes.count
    }
    return unsafe UnsafePointer(frame.pointee.scratch!.assumingMemoryBound(to: UInt8.self))
  }

  /// How many bytes ``scratch(_:)`` holds, 0 before it was called.
  static var scratchCount: Int { unsafe cplugins_current_frame()!.pointee.scratch_bytes }
}

private final class ExchangeTableBox: Sendable {
  let table: any ExchangeTable
  init(_ table: any ExchangeTable) { self.table = table }
}

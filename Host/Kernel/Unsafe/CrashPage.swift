import CCrashPage

/// Where the threads of this process note whose code they are about to enter, for whoever looks after a crash.
///
/// The memory is shared with the supervisor. Without ``attach(_:)``, in tests and tools, nothing is noted.
@safe
package enum CrashPage {
  /// What of a plugin is called.
  package enum Call: UInt32, Sendable, CaseIterable {
    case load = 1
    case create, activate, handleInline, handle, cancel, quiesce, stop, destroy
    /// Not called: code on a thread that the plugin started.
    case ownThread

    package var name: String {
      switch self {
      case .handleInline, .handle: "handle"
      case .ownThread: "own_thread"
      default: "\(self)"
      }
    }
  }

  /// Maps the page behind a descriptor and writes down the signals that end this process. Before the second thread.
  package static func attach(_ descriptor: Int32) -> Bool { ccrash_attach(descriptor) }

  /// Catches the signals again where a plugin took them; how many it took. [any]
  package static func rearm() -> Int { Int(ccrash_rearm()) }

  /// Whoever closes one of these descriptors ends the process, and is named for it. [main]
  package static func guardDescriptors(_ descriptors: ClosedRange<Int32>) {
    ccrash_guard_descriptors(descriptors.lowerBound, descriptors.upperBound)
  }

  /// Says whether the event thread with this number does not come round. [any]
  package static func hold(_ thread: Int, _ isHeld: Bool) {
    ccrash_hold(UInt32(clamping: thread), isHeld)
  }

  /// A number for a generation, 0 when there is no page or no room in it. [control]
  package static func register(automation: String, generation: Int, sha256: String) -> UInt32 {
    // Safe: both texts live as long as the call, which copies them.
    unsafe ccrash_register(automation, UInt32(clamping: generation), sha256)
  }

  /// Gives the routes of a generation their names, in order. [control]
  package static func name(_ routes: [String], of entry: UInt32) {
    guard ccrash_reserve_routes(entry, UInt32(clamping: routes.count)) else { return }
    for (number, name) in routes.enumerated() {
      // Safe: the text lives as long as the call, which copies it.
      unsafe ccrash_name_route(entry, UInt32(number), name)
    }
  }

  /// Runs code of a generation on this thread, outside a request.
  package static func within<Result>(_ entry: UInt32, _ call: Call, _ body: () -> Result) -> Result {
    let before = ccrash_enter(entry, 0, call.rawValue, nil)
    defer { ccrash_leave(before) }
    return body()
  }
}

import CSupervision
import Glibc
import Kernel

/// One end of the channel between the supervisor and a host: messages, kept apart, in order.
@safe
package final class Channel: Sendable {
  package let descriptor: Int32
  private let isOwned: Bool

  /// `isOwned`: it is closed with this object, and not by the end of the process.
  package init(_ descriptor: Int32, isOwned: Bool = true) {
    self.descriptor = descriptor
    self.isOwned = isOwned
  }

  deinit { if isOwned { close(descriptor) } }

  /// Both ends; the second is for the child, and its number is closed by whoever asked.
  static func pair() -> (ours: Channel, theirs: Int32)? {
    var (ours, theirs): (Int32, Int32) = (-1, -1)
    // Safe: the call writes two numbers.
    guard unsafe csupervision_channel(&ours, &theirs) else { return nil }
    return (Channel(ours), theirs)
  }

  /// Never waits: false when the other side is gone, or has not read for long.
  @discardableResult
  package func send(_ bytes: [UInt8]) -> Bool {
    // Safe: the kernel reads the array's own count.
    unsafe bytes.withUnsafeBytes {
      unsafe Glibc.send(
        descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    } == bytes.count
  }

  package enum Received {
    case message([UInt8])
    case nothing
    /// The other side is gone.
    case closed
    /// This end is not there any more, or is something else.
    case broken
  }

  package func receive(waits: Bool) -> Received {
    var buffer = [UInt8](repeating: 0, count: Messages.maxBytes)
    while true {
      // Safe: the kernel writes at most the buffer's count.
      let got = unsafe buffer.withUnsafeMutableBytes {
        unsafe recv(descriptor, $0.baseAddress, $0.count, waits ? 0 : Int32(MSG_DONTWAIT))
      }
      if got > 0 { return .message(Array(buffer[..<got])) }
      if got == 0 { return .closed }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .nothing
      default: return .broken
      }
    }
  }
}

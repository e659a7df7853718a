import Synchronization

/// One object per thread, made on the thread's first use: what a thread owns needs no lock.
///
/// `current` is a load from a fixed table. A slot outlives its thread and is handed to the next thread
/// with that number, so contents must be reusable.
@safe
package final class ThreadSlots<Value: AnyObject>: @unchecked Sendable {
  // Each slot is written by the one thread that has its number; others read it, with acquire, in `forEach`.
  private let slots: UnsafeMutablePointer<Atomic<UInt>>
  private let make: @Sendable (Int) -> Value

  package init(_ make: @escaping @Sendable (_ thread: Int) -> Value) {
    self.make = make
    unsafe slots = .allocate(capacity: OSThread.maxNumber)
    for index in 0..<OSThread.maxNumber { unsafe (slots + index).initialize(to: Atomic(0)) }
  }

  deinit {
    for index in 0..<OSThread.maxNumber {
      let bits = unsafe slots[index].load(ordering: .acquiring)
      // Safe: the bits are a retained Value, released once here.
      if bits != 0 { unsafe Unmanaged<Value>.fromOpaque(UnsafeRawPointer(bitPattern: bits)!).release() }
    }
    unsafe slots.deinitialize(count: OSThread.maxNumber)
    unsafe slots.deallocate()
  }

  /// The calling thread's object. Traps when more than ``OSThread/maxNumber`` threads exist.
  package var current: Value {
    guard let number = OSThread.number else { preconditionFailure("too many threads") }
    let bits = unsafe slots[number].load(ordering: .relaxed)
    if bits != 0 {
      // Safe: only this thread's number reaches this slot, and it holds a retained Value.
      return unsafe Unmanaged<Value>.fromOpaque(UnsafeRawPointer(bitPattern: bits)!)
        .takeUnretainedValue()
    }
    let value = make(number)
    let made = unsafe UInt(bitPattern: Unmanaged.passRetained(value).toOpaque())
    unsafe slots[number].store(made, ordering: .releasing)
    return value
  }

  /// Visits the object of every thread that has one. What it reads must be made for other threads to read.
  package func forEach(_ body: (Value) -> Void) {
    for index in 0..<OSThread.maxNumber {
      let bits = unsafe slots[index].load(ordering: .acquiring)
      // Safe: a slot is never emptied before deinit.
      if bits != 0 {
        body(unsafe Unmanaged<Value>.fromOpaque(UnsafeRawPointer(bitPattern: bits)!).takeUnretainedValue())
      }
    }
  }
}

public import Synchronization

/// One object per thread, made on the thread's first use: what a thread owns needs no lock.
///
/// `current` is a load from a fixed table. A slot outlives its thread and is handed to the next thread
/// with that number, so contents must be reusable.
@safe
public final class ThreadSlots<Value: AnyObject>: @unchecked Sendable {
  // Each slot is written by the one thread that has its number; others read it, with acquire, in `forEach`.
  @usableFromInline let slots: UnsafeMutablePointer<Atomic<UInt>>
  @usableFromInline let make: @Sendable (Int) -> Value

  public init(_ make: @escaping @Sendable (_ thread: Int) -> Value) {
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
  @inlinable
  public var current: Value {
    let number = threadNumber()
    let bits = unsafe slots[number].load(ordering: .relaxed)
    if bits != 0 {
      // Safe: only this thread's number reaches this slot, and it holds a retained Value.
      return unsafe Unmanaged<Value>.fromOpaque(UnsafeRawPointer(bitPattern: bits)!)
        .takeUnretainedValue()
    }
    return fill(number)
  }

  @usableFromInline
  func fill(_ number: Int) -> Value {
    let value = make(number)
    let made = unsafe UInt(bitPattern: Unmanaged.passRetained(value).toOpaque())
    unsafe slots[number].store(made, ordering: .releasing)
    return value
  }

  /// Visits the object of every thread that has one. What it reads must be made for other threads to read.
  public func forEach(_ body: (Value) -> Void) {
    for index in 0..<OSThread.maxNumber {
      let bits = unsafe slots[index].load(ordering: .acquiring)
      // Safe: a slot is never emptied before deinit.
      if bits != 0 {
        body(unsafe Unmanaged<Value>.fromOpaque(UnsafeRawPointer(bitPattern: bits)!).takeUnretainedValue())
      }
    }
  }
}

/// ``OSThread/number`` for ``ThreadSlots``, which is inlined where it cannot see that one.
@usableFromInline
func threadNumber() -> Int {
  guard let number = OSThread.number else { preconditionFailure("too many threads") }
  return number
}

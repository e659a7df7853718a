import Glibc

/// Elements that never change, at an address that never moves: reading one counts no references, which a
/// thread would otherwise do to memory that all threads share.
///
/// Valid as long as the ``TableMemory`` it came from.
@safe
struct FixedTable<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  // Sendable: nobody writes after `TableMemory` made it.
  private let base: UnsafePointer<Element>
  let count: Int

  fileprivate init(base: UnsafePointer<Element>, count: Int) {
    unsafe self.base = unsafe base
    self.count = count
  }

  @inline(__always)
  subscript(index: Int) -> Element {
    precondition(index >= 0 && index < count)
    // Safe: the bound was checked, and the memory is initialised up to it.
    return unsafe base[index]
  }

  @inline(__always)
  subscript(index: Int32) -> Element { self[Int(index)] }
}

extension FixedTable where Element == UInt8 {
  /// Whether the bytes from `offset` on are `bytes`.
  func holds(_ bytes: Span<UInt8>, at offset: Int) -> Bool {
    precondition(offset >= 0 && offset + bytes.count <= count)
    return unsafe bytes.withUnsafeBytes { other in
      // Safe: the bound was checked for the whole range, and both sides have that many bytes.
      unsafe other.count == 0 || memcmp(base + offset, other.baseAddress!, other.count) == 0
    }
  }

  func text(at offset: Int, count length: Int) -> String {
    var bytes: [UInt8] = []
    for index in offset..<offset + length { bytes.append(self[index]) }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Owns the memory of the tables of one program.
@safe
final class TableMemory: @unchecked Sendable {
  // Sendable: `blocks` changes only while one thread builds the program.
  private var blocks: [UnsafeMutableRawPointer] = unsafe []

  func table<Element: BitwiseCopyable & Sendable>(_ elements: [Element]) -> FixedTable<Element> {
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: max(MemoryLayout<Element>.stride * elements.count, 1),
      alignment: MemoryLayout<Element>.alignment)
    unsafe blocks.append(bytes)
    // Safe: the block has room and alignment for the elements, and each is initialised here.
    let typed = unsafe bytes.bindMemory(to: Element.self, capacity: elements.count)
    for (index, element) in elements.enumerated() { unsafe (typed + index).initialize(to: element) }
    return unsafe FixedTable(base: typed, count: elements.count)
  }

  deinit {
    // Safe: each block was allocated once above; its elements need no destruction.
    while let block = unsafe blocks.popLast() { unsafe block.deallocate() }
  }
}

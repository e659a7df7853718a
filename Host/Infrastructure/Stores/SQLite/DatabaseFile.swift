import Application
import Domain
import Kernel
import Synchronization

/// The database file of one automation, shared by its generations: one writer, one reader per thread.
final class DatabaseFile: Sendable {
  /// What readers and the writer know of the file; apart from it, so that they do not keep it open.
  final class Shared: Sendable {
    let path: String
    let configuration: SQLiteConfiguration
    /// Moves when a generation closes: readers then drop its statements.
    let generations = Atomic<UInt64>(0)
    /// The collections of generations that are open.
    let collections = Monitor<Set<UInt32>>([])
    let cipher: (any FieldCipher)?
    let declared = OpenDeclarations()

    init(path: String, configuration: SQLiteConfiguration, cipher: (any FieldCipher)?) {
      self.path = path
      self.configuration = configuration
      self.cipher = cipher
    }
  }

  private final class Slot {
    var reader: Reader?
  }

  let shared: Shared
  let writer: RecordWriter
  let check: StoreCheck
  private let slots = ThreadSlots<Slot> { _ in Slot() }
  private let openReaders = Atomic<Int>(0)
  /// For threads beyond the limit: one connection, one at a time.
  private let overflow = Monitor<Reader?>(nil)

  /// Opens the file, and makes it where there is none.
  init(path: String, configuration: SQLiteConfiguration, cipher: (any FieldCipher)?) throws(SQLiteError) {
    try Files.makeFile(path)
    shared = Shared(path: path, configuration: configuration, cipher: cipher)
    writer = try RecordWriter(shared)
    check = StoreCheck(path: path, configuration: configuration)
  }

  /// Runs `body` with a reader of the calling thread. No lock, but for threads beyond the limit.
  func read<Result>(
    _ body: (Reader) throws(SQLiteError) -> Result
  ) throws(SQLiteError) -> Result {
    guard OSThread.number != nil else { return try readShared(body) }
    let slot = slots.current
    if let reader = slot.reader { return try body(reader) }
    guard openReaders.add(1, ordering: .relaxed).newValue <= shared.configuration.maxReaders else {
      openReaders.subtract(1, ordering: .relaxed)
      return try readShared(body)
    }
    do {
      let reader = try Reader(shared)
      slot.reader = reader
      return try body(reader)
    } catch {
      if slot.reader == nil { openReaders.subtract(1, ordering: .relaxed) }
      throw error
    }
  }

  private func readShared<Result>(
    _ body: (Reader) throws(SQLiteError) -> Result
  ) throws(SQLiteError) -> Result {
    try overflow.withLock { reader throws(SQLiteError) in
      if let reader { return try body(reader) }
      let opened = try Reader(shared)
      reader = opened
      return try body(opened)
    }
  }

  /// A generation uses these collections from now on.
  func register(_ collections: [CompiledCollection]) {
    shared.collections.withLock { known in for collection in collections { known.insert(collection.number) } }
  }

  func unregister(_ collections: [CompiledCollection]) {
    shared.collections.withLock { known in for collection in collections { known.remove(collection.number) } }
    shared.generations.add(1, ordering: .releasing)
  }
}

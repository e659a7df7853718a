package import Kernel

/// What the disk refused.
package struct AuditFileError: Error, Sendable, Equatable {
  /// `write`, `sync`, `open` …
  package var operation: String
  /// The system's error number.
  package var code: Int32

  package init(_ operation: String, code: Int32) {
    self.operation = operation
    self.code = code
  }
}

/// The folder of an audit trail. Names have no path in them. Any thread.
package protocol AuditFolder: AnyObject, Sendable {
  func names() throws(AuditFileError) -> [String]
  /// Opens for reading and writing; makes the file when it is missing and `creating` says so, readable for
  /// its owner alone. A missing file is `open`, ENOENT.
  func open(_ name: String, creating: Bool) throws(AuditFileError) -> any AuditFile
  func remove(_ name: String) throws(AuditFileError)
  /// Makes the names themselves durable.
  func sync() throws(AuditFileError)

  /// A folder in this one; made, and locked for as long as the process has it, when `creating` says so.
  func aside(_ name: String, creating: Bool) throws(AuditFileError) -> any AuditFolder
  /// Locks the folder for this process; false when another one has it.
  func lock() throws(AuditFileError) -> Bool
  /// Deletes such a folder with all its files.
  func removeAside(_ name: String) throws(AuditFileError)
  /// Gives such a folder a name under which nobody looks for it: `broken-…`.
  func keepBrokenAside(_ name: String) throws(AuditFileError)
}

/// A folder without folders.
extension AuditFolder {
  package func aside(_ name: String, creating: Bool) throws(AuditFileError) -> any AuditFolder {
    throw AuditFileError("aside", code: 95)
  }
  package func lock() throws(AuditFileError) -> Bool { true }
  package func removeAside(_ name: String) throws(AuditFileError) {}
  package func keepBrokenAside(_ name: String) throws(AuditFileError) {}
}

/// One file of an audit trail. Any thread; closed when the last reference goes.
package protocol AuditFile: AnyObject, Sendable {
  var size: Int { get throws(AuditFileError) }
  /// Writes all bytes at an offset, or throws having written some of them.
  func write(_ bytes: Span<UInt8>, at offset: Int) throws(AuditFileError)
  /// Appends what is there, at most `count` bytes, to `arena`; returns how many came.
  func read(_ count: Int, at offset: Int, into arena: Arena) throws(AuditFileError) -> Int
  func truncate(to size: Int) throws(AuditFileError)
  /// Returns when the content is on disk.
  func sync() throws(AuditFileError)
}

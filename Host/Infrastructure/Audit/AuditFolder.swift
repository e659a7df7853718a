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

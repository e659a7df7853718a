package import Kernel

extension SQLiteRecordStores {
  /// Copies one automation's records from one folder of records into another, which need not exist. A host may use
  /// the first: the copy is what a reader would see at one moment. False: there are none.
  package static func copy(
    automation: String, from source: String, to target: String,
    configuration: SQLiteConfiguration = SQLiteConfiguration()
  ) throws(Problem) -> Bool {
    let (old, new) = ("\(source)/\(automation).sqlite", "\(target)/\(automation).sqlite")
    guard Files.exists(old) else { return false }
    do throws(SQLiteError) {
      try Files.makeFolder(target)
      try Files.makeFile(new)
      let reader = try Connection(
        path: old, mode: .existing, busyTimeout: configuration.busyTimeout,
        maxValueBytes: configuration.maxValueBytes)
      let writer = try Connection(
        path: new, mode: .existing, busyTimeout: configuration.busyTimeout,
        maxValueBytes: configuration.maxValueBytes)
      try reader.copy(to: writer)
    } catch { throw error.problem(configuration) }
    return true
  }
}

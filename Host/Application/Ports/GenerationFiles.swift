package import Kernel

/// The folder of plugin files: `incoming/` while a file is unknown, `generations/<id>/<n>-<sha256>.so` after.
/// Every file is a new inode under a new path: the dynamic linker takes a known one for the code it has.
package protocol GenerationFiles: AnyObject, Sendable {
  /// Copies a regular file of at most the configured size into `incoming/`. Refuses what is no regular file
  /// (`plugin.file.*`). Returns the copy's path.
  func receive(copyOf path: String) throws(Problem) -> String

  /// Opens a new file in `incoming/` for an upload.
  func upload() throws(Problem) -> any Upload

  /// Moves a received file to its place, read-only, durable. Returns the path below the home folder.
  func adopt(_ incoming: String, automation: String, number: Int, sha256: String) throws(Problem) -> String

  /// Where a path below the home folder is.
  func absolute(_ file: String) -> String

  /// Deletes a file that is not needed; one that is gone already is fine.
  func remove(_ path: String)

  /// Deletes what an earlier run left in `incoming/`.
  func removeIncoming()

  /// Deletes files of generations that are not among these, paths as ``adopt(_:automation:number:sha256:)`` returns them.
  func removeGenerations(except known: Set<String>)
}

/// A file that arrives piece by piece.
package protocol Upload: BodySink {
  /// Ends the file and returns its path. Throws `plugin.file.empty` when nothing came.
  func finish() throws(Problem) -> String
  func abandon()
}

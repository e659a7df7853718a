package import Application

/// What the commands for a plugin's author reach outside the command line.
package struct AuthorServices: Sendable {
  package var signer: any PluginSigning
  package var signatures: any SignatureScheme
  /// As the host compiles the schemas of a manifest.
  package var schemas: any SchemaCompiler
  /// Programs, and folders that are watched.
  package var workshop: any Workshop

  package init(
    signer: any PluginSigning, signatures: any SignatureScheme, schemas: any SchemaCompiler,
    workshop: any Workshop
  ) {
    self.signer = signer
    self.signatures = signatures
    self.schemas = schemas
    self.workshop = workshop
  }
}

/// Runs programs of this machine and watches folders, for one thread that waits for whatever comes first.
package protocol Workshop: Sendable {
  /// A place to wait. From here on the signals that end a program (INT, TERM, HUP) come as events.
  func open() throws(FileFailure) -> any WorkshopEvents
  /// A new folder for files of this command only.
  func makeTemporaryFolder() throws(FileFailure) -> String
  func removeFolder(_ path: String)
  /// What to run with `serve` for a host of this command's own.
  var councilProgram: String { get }
}

package enum WorkshopEvent: Sendable, Equatable {
  /// Something below a watched folder was written, moved, made or removed; its path.
  case changed(String)
  /// A line of what a program said, without its end; lines over 16 KiB come in pieces.
  case line(program: Int, String)
  /// A program ended, after all of its lines: its exit code, or the negative number of the signal.
  case ended(program: Int, Int32)
  /// This command is told to end.
  case signal
  case timedOut
}

/// One thread at a time. Ends every program that it started, with all that those started, when it is closed.
package protocol WorkshopEvents: AnyObject {
  /// Watches a folder and those below it, also ones that are made later; `ignoring` are names of entries.
  func watch(_ folder: String, ignoring: Set<String>) throws(FileFailure)
  /// Starts a program in a process group of its own. `program` is a path, or a name to find in PATH; nil stays in
  /// this command's folder.
  func start(_ program: String, _ arguments: [String], in folder: String?) throws(FileFailure) -> Int
  /// Asks a program and all that it started to end; its end is an event.
  func terminate(_ program: Int)
  /// What comes next, at most `timeout` from now.
  func next(within timeout: Duration) -> WorkshopEvent
  func close()
}

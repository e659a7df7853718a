package import Kernel

/// What sealing did.
package struct SealReport: Sendable, Equatable {
  /// Where the sealed file is.
  package var output: String
  /// Of the sealed file, lower-case hex.
  package var sha256: String
  package var manifest: [UInt8]

  package init(output: String, sha256: String, manifest: [UInt8]) {
    self.output = output
    self.sha256 = sha256
    self.manifest = manifest
  }
}

/// Writes a plugin's manifest into its file as the ELF section `.council.manifest`, after a clean probe.
package protocol PluginSealing: Sendable {
  /// `output` may be `path` itself: the file is replaced in one step. The probe creates the plugin with `config`.
  /// Problems are those of ``PluginInspector``.
  func seal(path: String, output: String, config: [UInt8]) throws(Problem) -> SealReport
}

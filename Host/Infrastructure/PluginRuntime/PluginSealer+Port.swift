package import Application
package import Kernel

extension PluginSealer: PluginSealing {
  package func seal(path: String, output: String) throws(Problem) -> SealReport {
    let facts: PluginFileFacts = try seal(path: path, output: output, config: Array("{}".utf8))
    return SealReport(output: output, sha256: facts.sha256, manifest: facts.sealedManifest ?? [])
  }
}

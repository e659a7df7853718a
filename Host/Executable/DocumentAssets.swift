import Application
import Configuration
import Kernel
import OpenAPI

/// Reads the files of the pages for people, which Scripts/fetch-page-assets puts into a folder.
enum DocumentAssets {
  /// nil where no folder is set, or one that lacks a file: then pages are plain lists, and the log says why.
  static func read(from folder: String, _ digests: any Digests, _ log: any LogSink) -> PageAssets? {
    if folder.isEmpty { return nil }
    let assets = PageAssets(digests: digests) { name in
      WholeFile.read("\(folder)/\(name)", maxBytes: PageAssets.maxBytes)
    }
    if assets == nil {
      let names = PageAssets.names.map(\.name).joined(separator: " and ")
      log.log(
        .error, "host", "documents.assets lacks \(names), or they cannot be read", ["folder": .string(folder)]
      )
    }
    return assets
  }
}

package import Application
import Kernel

/// The files that pages for people need, in memory: Swagger UI's, and the script that starts it.
package final class PageAssets: Sendable {
  /// What the folder must have, with the type of each.
  package static let names: [(name: String, type: String)] = [
    ("swagger-ui.css", "text/css; charset=utf-8"), ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
  ]
  /// Of one file.
  package static let maxBytes = 8 << 20

  private let files: [String: Document]
  /// The same without the headers that the public listener's answers lack otherwise.
  let bare: [String: Document]

  /// Reads the files by name; nil where one is missing.
  package init?(digests: any Digests, read: (_ name: String) -> [UInt8]?) {
    var files: [String: Document] = [:]
    for (name, type) in PageAssets.names {
      guard let bytes = read(name) else { return nil }
      files[name] = Document(bytes, type, headers: PageAssets.headers, digests: digests)
    }
    files["start.js"] = Document(
      Array(HumanPage.script.utf8), "text/javascript; charset=utf-8", headers: PageAssets.headers,
      digests: digests)
    self.files = files
    bare = files.mapValues { Document($0.bytes, $0.contentType, digests: digests) }
  }

  private static let headers: [(name: StaticString, value: String)] = [("X-Content-Type-Options", "nosniff")]

  package func file(_ name: String) -> Document? { files[name] }
}

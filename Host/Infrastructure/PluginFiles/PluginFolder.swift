package import Application
package import Kernel

/// Plugin files below the home folder: port ``GenerationFiles``.
package final class PluginFolder: GenerationFiles {
  private let home: String
  private let maxBytes: Int

  /// `home` is an absolute path. Files above `maxBytes` are refused with `plugin.file.too_large`.
  package init(home: String, maxBytes: Int = 64 << 20) throws(Problem) {
    self.home = home
    self.maxBytes = maxBytes
    try Folder.make(home + "/incoming")
    try Folder.make(home + "/generations")
  }

  package func receive(copyOf path: String) throws(Problem) -> String {
    guard path.hasPrefix("/"), !path.utf8.contains(0), !path.split(separator: "/").contains("..") else {
      throw Problem(
        422, "plugin.file.path_invalid",
        "A plugin's path must be absolute and without '..': '\(path)' is not.")
    }
    let (source, bytes) = try Descriptor.open(reading: path)
    guard bytes <= maxBytes else { throw tooLarge(bytes) }
    let upload = try upload()
    do throws(Problem) {
      var piece: [UInt8] = []
      piece.reserveCapacity(PluginFolder.pieceBytes)
      while try source.read(PluginFolder.pieceBytes, into: &piece) > 0 {
        try upload.write(piece.span)
        piece.removeAll(keepingCapacity: true)
      }
      return try upload.finish()
    } catch {
      upload.abandon()
      throw error
    }
  }

  package func upload() throws(Problem) -> any Upload {
    let path = "\(home)/incoming/\(UUIDv7.make()).so"
    return FileUpload(try Descriptor.create(path), path: path, maxBytes: maxBytes)
  }

  package func adopt(
    _ incoming: String, automation: String, number: Int, sha256: String
  ) throws(Problem) -> String {
    let folder = "\(home)/generations/\(automation)"
    try Folder.make(folder)
    let file = "generations/\(automation)/\(number)-\(sha256).so"
    try Folder.rename(incoming, to: absolute(file))
    try Folder.sync(folder)
    return file
  }

  package func absolute(_ file: String) -> String { "\(home)/\(file)" }

  package func remove(_ path: String) { Folder.remove(path) }

  package func removeIncoming() {
    for name in Folder.names(in: home + "/incoming") { Folder.remove("\(home)/incoming/\(name)") }
  }

  package func removeGenerations(except known: Set<String>) {
    for automation in Folder.names(in: home + "/generations") {
      for name in Folder.names(in: "\(home)/generations/\(automation)") {
        let file = "generations/\(automation)/\(name)"
        if name.hasSuffix(".so"), !known.contains(file) { Folder.remove(absolute(file)) }
      }
    }
  }

  private static let pieceBytes = 256 * 1024

  private func tooLarge(_ bytes: Int) -> Problem { FileUpload.tooLarge(bytes, maxBytes) }
}

/// A file on its way into `incoming/`.
private final class FileUpload: Upload {
  private var file: Descriptor?
  private let path: String
  private let maxBytes: Int
  private var written = 0

  init(_ file: Descriptor, path: String, maxBytes: Int) {
    self.file = file
    self.path = path
    self.maxBytes = maxBytes
  }

  func write(_ bytes: Span<UInt8>) throws(Problem) {
    written += bytes.count
    guard written <= maxBytes else { throw FileUpload.tooLarge(written, maxBytes) }
    try file?.write(bytes)
  }

  func finish() throws(Problem) -> String {
    guard let file, written > 0 else {
      abandon()
      throw Problem(422, "plugin.file.empty", "The file is empty.")
    }
    try file.makeReadOnly()
    self.file = nil
    return path
  }

  func abandon() {
    file = nil
    Folder.remove(path)
  }

  static func tooLarge(_ bytes: Int, _ maxBytes: Int) -> Problem {
    Problem(
      413, "plugin.file.too_large", "The file has \(bytes) bytes or more; at most \(maxBytes) are taken.",
      members: ["max_bytes": .integer(Int64(maxBytes))])
  }
}

package import Application
package import Kernel

/// Recorded traffic below the home folder, `recordings/`: port ``RecordingFiles``.
package final class RecordingFolder: RecordingFiles {
  private let folder: String
  private let kept: Int

  /// `home` is an absolute path.
  package init(home: String, kept: Int = 16) throws(Problem) {
    folder = home + "/recordings"
    self.kept = kept
    try Folder.make(folder)
  }

  package func create(_ name: String) throws(Problem) -> any RecordingFile {
    try check(name)
    let file = RecordingOnDisk(try Descriptor.create("\(folder)/\(name)"), path: "\(folder)/\(name)")
    // Names end with the time: among those of one automation the order of names is that of time.
    let old = Folder.names(in: folder).filter { $0.hasSuffix(".jsonl") }
      .sorted { RecordingFolder.time(of: $0) < RecordingFolder.time(of: $1) }.dropLast(kept)
    for name in old { Folder.remove("\(folder)/\(name)") }
    try Folder.sync(folder)
    return file
  }

  package func path(of name: String) throws(Problem) -> String {
    try check(name)
    guard Folder.names(in: folder).contains(name) else { throw RecordingFolder.notFound(name) }
    return "\(folder)/\(name)"
  }

  /// `accounts-20260101T120000123.jsonl`: what stands after the last dash.
  private static func time(of name: String) -> Substring { name.split(separator: "-").last ?? "" }

  private func check(_ name: String) throws(Problem) {
    let isPlain = name.utf8.allSatisfy { byte in
      byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte >= 0x30 && byte <= 0x39
        || (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A
    }
    guard isPlain, name.hasSuffix(".jsonl"), !name.hasPrefix("."), name.utf8.count <= 255 else {
      throw RecordingFolder.notFound(name)
    }
  }

  private static func notFound(_ name: String) -> Problem {
    Problem(
      404, "recording.not_found",
      "No recording '\(name)' is in this host's folder of recordings; name the file without a path.")
  }
}

private final class RecordingOnDisk: RecordingFile {
  let path: String
  private let file: Descriptor

  init(_ file: Descriptor, path: String) {
    self.file = file
    self.path = path
  }

  func write(_ bytes: [UInt8]) throws(Problem) { try file.write(bytes.span) }
  func close() throws(Problem) { try file.sync() }
}

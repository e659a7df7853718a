import Glibc
import Kernel

/// Where tests put files: below `TMPDIR`, so that Scripts/test sees what they leave.
package enum Scratch {
  package static let root: String = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"

  /// A new folder `council-<name>-…`, which its owner removes.
  package static func makeFolder(_ name: String) -> String {
    var template = Array("\(root)/council-\(name)-XXXXXX".utf8CString)
    // Safe: the call changes the last letters of the text in place; its NUL stays.
    let made = unsafe template.withUnsafeMutableBufferPointer { unsafe mkdtemp($0.baseAddress!) != nil }
    precondition(made, "no folder for tests in \(root): errno \(errno)")
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A new folder that goes when this process ends.
  package static func makeFolderOfTheRun(_ name: String) -> String {
    let path = makeFolder(name)
    let isFirst = leaving.withLock { all in
      all.append(path)
      return all.count == 1
    }
    if isFirst { atexit { Scratch.leaving.withLock { $0 }.forEach(Scratch.remove) } }
    return path
  }

  private static let leaving = Monitor<[String]>([])

  /// Removes a folder with everything in it.
  package static func remove(_ path: String) {
    precondition(path.hasPrefix(root + "/council-"), "\(path) is no folder of a test")
    // Safe: both texts live during the call. What has no write permission goes, too.
    unsafe _ = system("chmod -R u+w '\(path)' 2>/dev/null; rm -rf '\(path)'")
  }
}

/// A folder of one test, removed with this object.
package final class ScratchFolder: Sendable {
  package let path: String

  package init(_ name: String) { path = Scratch.makeFolder(name) }

  deinit { Scratch.remove(path) }
}

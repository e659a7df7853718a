import Glibc
import Kernel
import Scratch

/// A folder of one test, removed with everything in it when the test is over.
final class TestFolder: Sendable {
  let path: String

  init() {
    path = "\(Scratch.root)/council-audit-\(UUIDv7.make())"
    // Safe: the string lives as long as the call.
    precondition(unsafe mkdir(path, 0o700) == 0)
  }

  deinit {
    for name in names { unsafe unlink("\(path)/\(name)") }
    unsafe rmdir(path)
  }

  var names: [String] {
    guard let folder = unsafe opendir(path) else { return [] }
    // Safe: the stream is ours; an entry is read before the next call.
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  var segments: [String] { names.filter { $0.hasSuffix(".jsonl") } }

  func read(_ name: String) -> [UInt8] {
    guard let file = unsafe fopen("\(path)/\(name)", "r") else { return [] }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe piece.withUnsafeMutableBytes { unsafe fread($0.baseAddress!, 1, $0.count, file) }
      guard count > 0 else { return bytes }
      bytes += piece[..<count]
    }
  }

  func write(_ name: String, _ bytes: [UInt8]) {
    guard let file = unsafe fopen("\(path)/\(name)", "w") else { preconditionFailure("cannot write") }
    _ = unsafe bytes.withUnsafeBytes { unsafe fwrite($0.baseAddress!, 1, $0.count, file) }
    unsafe fclose(file)
  }

  func remove(_ name: String) { _ = unsafe unlink("\(path)/\(name)") }

  /// The permission bits of a file.
  func mode(_ name: String) -> UInt32 {
    var facts = stat()
    return unsafe stat("\(path)/\(name)", &facts) == 0 ? facts.st_mode & 0o777 : 0
  }

  /// Every file as it is now, the way a crash would leave it.
  func copy() -> TestFolder {
    let copy = TestFolder()
    // The head first and the newest rows last: what a crash leaves is never without rows that its head knows.
    let all = names
    for name in all where !name.hasSuffix(".jsonl") { copy.write(name, read(name)) }
    for name in segments { copy.write(name, read(name)) }
    return copy
  }
}

let noSpace = ENOSPC
let inputOutput = EIO

import Glibc
import Kernel
import Scratch

/// A folder of one test, removed with everything in it when the test is over.
final class TestFolder: Sendable {
  let path: String

  init() {
    path = "\(Scratch.root)/council-telemetry-\(UUIDv7.make())"
    // Safe: the string lives as long as the call.
    precondition(unsafe mkdir(path, 0o700) == 0)
  }

  func file(_ name: String) -> String { path + "/" + name }

  deinit {
    guard let folder = unsafe opendir(path) else { return }
    // Safe: the stream is ours; readdir's entry is read before the next call.
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      unsafe unlink(path + "/" + name)
    }
    unsafe closedir(folder)
    unsafe rmdir(path)
  }
}

func readFile(_ path: String) -> [UInt8] {
  guard let file = unsafe fopen(path, "r") else { return [] }
  defer { unsafe fclose(file) }
  var bytes: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = unsafe piece.withUnsafeMutableBytes { unsafe fread($0.baseAddress!, 1, $0.count, file) }
    guard count > 0 else { return bytes }
    bytes += piece[..<count]
  }
}

func writeFile(_ path: String, _ bytes: [UInt8]) {
  guard let file = unsafe fopen(path, "w") else { preconditionFailure("cannot write \(path)") }
  _ = unsafe bytes.withUnsafeBytes { unsafe fwrite($0.baseAddress!, 1, $0.count, file) }
  unsafe fclose(file)
}

/// A pipe that nobody reads until a test does.
final class TestPipe: Sendable {
  let reader: Int32
  let writer: Int32

  init() {
    var ends: [Int32] = [0, 0]
    precondition(unsafe pipe(&ends) == 0)
    reader = ends[0]
    writer = ends[1]
  }

  deinit { close(reader) }

  func closeWriter() { close(writer) }

  /// Everything until the writer is closed.
  func readAll() -> [UInt8] {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe piece.withUnsafeMutableBytes { unsafe read(reader, $0.baseAddress, $0.count) }
      guard count > 0 else { return bytes }
      bytes += piece[..<count]
    }
  }
}

/// Runs a program with a file as its input; its exit code and what it wrote, or nil when there is no such program.
func run(_ program: String, _ arguments: String, input: String) -> (code: Int32, output: String)? {
  let command = "command -v \(program) >/dev/null || exit 199; \(program) \(arguments) < \(input) 2>&1"
  guard let stream = unsafe popen(command, "r") else { return nil }
  var output: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = unsafe piece.withUnsafeMutableBytes { unsafe fread($0.baseAddress!, 1, $0.count, stream) }
    guard count > 0 else { break }
    output += piece[..<count]
  }
  let status = unsafe pclose(stream) >> 8 & 255
  return status == 199 ? nil : (status, String(decoding: output, as: UTF8.self))
}

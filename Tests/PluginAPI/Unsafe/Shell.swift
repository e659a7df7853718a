import Glibc

/// Runs a command and returns its exit status and what it printed on both outputs.
func shell(_ command: String) -> (status: Int32, output: String) {
  // Safe: the stream is ours from popen to pclose.
  guard let stream = unsafe popen("\(command) 2>&1", "r") else { return (-1, "popen failed") }
  var output: [UInt8] = []
  while case let character = unsafe fgetc(stream), character != EOF { output.append(UInt8(character)) }
  let status = unsafe pclose(stream)
  return (status >> 8 & 0xFF, String(decoding: output, as: UTF8.self))
}

/// The folder of the running test program, where the products of the same build are.
var productsFolder: String {
  var path = [CChar](repeating: 0, count: 4096)
  // Safe: readlink writes at most the stated count.
  let count = unsafe path.withUnsafeMutableBufferPointer { path in
    unsafe path.baseAddress.map { unsafe readlink("/proc/self/exe", $0, path.count) } ?? 0
  }
  let text = String(decoding: path.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return text.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
}

/// The text of a file; empty when it cannot be read.
func contents(of path: String) -> String { shell("cat '\(path)'").output }

/// Puts text into a file.
func write(_ text: String, to path: String) {
  guard let file = unsafe fopen(path, "w") else { preconditionFailure("'\(path)' cannot be written") }
  // Safe: the stream is ours from fopen to fclose.
  for byte in text.utf8 { unsafe fputc(Int32(byte), file) }
  unsafe fclose(file)
}

/// This checkout.
let repository: String = {
  let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
  return parts.dropLast(4).joined(separator: "/")
}()

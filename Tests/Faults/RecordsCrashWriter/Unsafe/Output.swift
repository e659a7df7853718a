import Glibc

/// Writes a line to standard output without a buffer of this process in between.
func writeLine(_ text: String) {
  let bytes = Array((text + "\n").utf8)
  // Safe: the bytes live during the call.
  let written = unsafe bytes.withUnsafeBytes { unsafe write(1, $0.baseAddress, $0.count) }
  guard written == bytes.count else { exit(3) }
}

package import Kernel

/// A file with keys of 32 bytes, one a line, in hex or base64; `#` starts a comment.
package enum KeyFile {
  private static let maxBytes = 64 * 1024
  private static let maxKeys = 64

  /// The keys in their order. Throws `config.key_file` (422), whose text never holds what stands in the file.
  package static func read(_ path: String) throws(Problem) -> [[UInt8]] {
    let text: [UInt8]
    switch PrivateFile.read(path, maxBytes: maxBytes) {
    case .success(let bytes): text = bytes
    case .failure(let fault): throw refusal(path, fault.reason)
    }
    var keys: [[UInt8]] = []
    for (number, line) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      let words = String(decoding: line.prefix { $0 != UInt8(ascii: "#") }, as: UTF8.self)
        .split { $0 == " " || $0 == "\t" || $0 == "\r" }
      guard let word = words.first else { continue }
      guard words.count == 1, let key = key(word) else {
        throw refusal(path, "line \(number + 1) is not a key of 32 bytes in hex or base64")
      }
      if keys.contains(key) { throw refusal(path, "line \(number + 1) repeats an earlier key") }
      keys.append(key)
    }
    guard (1...maxKeys).contains(keys.count) else { throw refusal(path, "must hold 1 to \(maxKeys) keys") }
    return keys
  }

  private static func key(_ text: Substring) -> [UInt8]? {
    if text.utf8.count == 64 { return hex(Array(text.utf8)) }
    var base64 = text
    while base64.hasSuffix("=") { base64.removeLast() }
    let plain = base64.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }
    guard let key = Base64URL.decode(String(plain)), key.count == 32 else { return nil }
    return key
  }

  private static func hex(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: text.count, by: 2) {
      guard let high = digit(text[place]), let low = digit(text[place + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  private static func refusal(_ path: String, _ reason: String) -> Problem {
    Problem(422, "config.key_file", "The key file \(path): \(reason).", members: ["path": .string(path)])
  }
}

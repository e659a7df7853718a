import CSupervision
import Glibc
import Kernel

/// Names the functions of a backtrace, by the symbol tables of the files that it lists. Nothing of this runs in a process
/// that crashes: the host after it does it, within bounds.
///
/// Names stay as compilers wrote them. A plugin's file can say anything, and a demangler is no reader for that.
package struct Symbols: Sendable {
  /// Of one file's table; more is not read.
  private static let tableBytes = 64 << 20
  private static let nameBytes = 128

  private let home: String

  package init(home: String) { self.home = home }

  /// `/lib/libc.so.6+0x1234` becomes `/lib/libc.so.6+0x1234 abort`, where the file tells.
  package func named(_ frames: [String]) -> [String] {
    var named = frames
    var places: [String: [(index: Int, offset: UInt64)]] = [:]
    for (index, frame) in frames.enumerated() {
      if let (module, offset) = Symbols.parse(frame), let file = file(of: module) {
        places[file, default: []].append((index, offset))
      }
    }
    for (file, wanted) in places {
      for ((index, _), name) in zip(wanted, Symbols.look(file, wanted.map(\.offset))) where !name.isEmpty {
        let parts = frames[index].split(separator: " ", maxSplits: 1)
        named[index] = ([String(parts[0]), name] + parts.dropFirst().map(String.init)).joined(separator: " ")
      }
    }
    return named
  }

  private static func parse(_ frame: String) -> (module: String, offset: UInt64)? {
    let place = frame.split(separator: " ", maxSplits: 1).first ?? ""
    guard let plus = place.lastIndex(of: "+") else { return nil }
    let number = place[place.index(after: plus)...]
    guard number.hasPrefix("0x"), let offset = UInt64(number.dropFirst(2), radix: 16) else { return nil }
    return (String(place[..<plus]), offset)
  }

  /// The page keeps the end of a path alone.
  private func file(of module: String) -> String? {
    if module == "council" { return "/proc/self/exe" }
    let parts = module.split(separator: "/", omittingEmptySubsequences: false)
    if parts.count >= 3, parts[parts.count - 3] == "generations" {
      return home + "/" + parts.suffix(3).joined(separator: "/")
    }
    return module.hasPrefix("/") ? module : nil
  }

  private static func look(_ file: String, _ offsets: [UInt64]) -> [String] {
    var names = [CChar](repeating: 0, count: offsets.count * nameBytes)
    // Safe: `names` has room for as many names as there are offsets, each with its NUL.
    unsafe csupervision_symbols(file, offsets, offsets.count, &names, nameBytes, tableBytes)
    return offsets.indices.map { index in
      let bytes = names[(index * nameBytes)..<((index + 1) * nameBytes)].prefix { $0 != 0 }
      return String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}

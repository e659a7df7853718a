import Glibc

/// The variables of this process, read once, before there is a second thread.
enum Environment {
  static let all: [String: String] = {
    var all: [String: String] = [:]
    var place = unsafe environ
    // Safe: the block ends with a NULL, and nobody writes to it.
    while let entry = unsafe place.pointee {
      let text = unsafe String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        all[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      unsafe place += 1
    }
    return all
  }()
}

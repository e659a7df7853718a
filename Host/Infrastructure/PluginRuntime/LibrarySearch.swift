/// Finds needed libraries where the dynamic loader would, without asking it: its own way of looking runs
/// constructors.
struct LibrarySearch {
  /// The loader's order: RPATH when there is no RUNPATH, LD_LIBRARY_PATH, RUNPATH, the cache, the default folders.
  struct Request {
    var name: String
    var rpath: [String]
    var runpath: [String]
    /// The folder that `$ORIGIN` stands for.
    var origin: String
  }

  private let cache: LoaderCache
  private let environmentPath: [String]
  static let defaultFolders = [
    "/lib/\(multiarch)", "/usr/lib/\(multiarch)", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
  ]

  init(cache: LoaderCache = .system(), environmentPath: String? = environment("LD_LIBRARY_PATH")) {
    self.cache = cache
    self.environmentPath = LibrarySearch.folders(environmentPath ?? "")
  }

  func resolves(_ request: Request) -> Bool {
    if request.name.contains("/") { return request.name.hasPrefix("/") && isRegularFile(request.name) }
    if isMapped(request.name) { return true }
    let own = request.runpath.isEmpty ? request.rpath : []
    let folders = own + environmentPath + request.runpath
    if folders.contains(where: { isRegularFile("\(expand($0, request.origin))/\(request.name)") }) {
      return true
    }
    return isOfSystem(request.name)
  }

  /// Whether the system itself has a library of that name.
  func isOfSystem(_ name: String) -> Bool {
    cache.names.contains(name)
      || LibrarySearch.defaultFolders.contains { isRegularFile("\($0)/\(name)") }
  }

  static func folders(_ list: String) -> [String] {
    list.split(separator: ":", omittingEmptySubsequences: true).map(String.init)
  }

  /// An entry that means another folder when the host is started from another one.
  static func isRelative(_ folder: String) -> Bool {
    !(folder.hasPrefix("/") || folder.hasPrefix("$ORIGIN") || folder.hasPrefix("${ORIGIN}"))
  }

  private func expand(_ folder: String, _ origin: String) -> String {
    for (token, value) in [
      ("$ORIGIN", origin), ("${ORIGIN}", origin), ("$LIB", "lib/\(multiarch)"),
      ("${LIB}", "lib/\(multiarch)"),
    ] {
      if folder.hasPrefix(token) { return value + folder.dropFirst(token.count) }
    }
    return folder
  }
}

#if arch(arm64)
  private let multiarch = "aarch64-linux-gnu"
#else
  private let multiarch = "x86_64-linux-gnu"
#endif

/// The names in `/etc/ld.so.cache`, glibc's index of the system's libraries (format "glibc-ld.so.cache1.1",
/// sysdeps/generic/dl-cache.h).
struct LoaderCache {
  var names: Set<String>

  static func system() -> LoaderCache {
    guard let bytes = try? RegularFile.read("/etc/ld.so.cache", maxBytes: 64 << 20) else {
      return LoaderCache(names: [])
    }
    return LoaderCache(bytes)
  }

  init(names: Set<String>) { self.names = names }

  /// Reads what it can: an entry that makes no sense is left out, and its library counts as missing.
  init(_ bytes: [UInt8]) {
    names = []
    let magic = Array("glibc-ld.so.cache1.1".utf8)
    guard let start = LoaderCache.find(magic, in: bytes), start + 48 <= bytes.count else { return }
    let count = LoaderCache.word(bytes, start + 20)
    guard count <= (bytes.count - start - 48) / 24 else { return }
    for index in 0..<count {
      let entry = start + 48 + index * 24
      guard LoaderCache.word(bytes, entry) == LoaderCache.ownLibraries else { continue }
      let first = start + LoaderCache.word(bytes, entry + 4)
      guard first < bytes.count, let end = bytes[first...].firstIndex(of: 0) else { continue }
      names.insert(String(decoding: bytes[first..<end], as: UTF8.self))
    }
  }

  /// FLAG_ELF_LIBC6 with the mark of this architecture.
  private static var ownLibraries: Int {
    #if arch(arm64)
      0x0A03
    #else
      0x0303
    #endif
  }

  /// An older table may stand before the one that is read; the newer begins at a multiple of 8.
  private static func find(_ magic: [UInt8], in bytes: [UInt8]) -> Int? {
    var start = 0
    while start + magic.count <= bytes.count {
      if bytes[start..<start + magic.count].elementsEqual(magic) { return start }
      start += 8
    }
    return nil
  }

  private static func word(_ bytes: [UInt8], _ offset: Int) -> Int {
    Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 | Int(bytes[offset + 2]) << 16 | Int(bytes[offset + 3])
      << 24
  }
}

import Glibc
import Kernel
import Scratch
import Synchronization

@testable import PluginRuntime

/// Compiles the fixtures of Tests/Rejects, each once per run, into a folder that is removed at the end.
enum Workshop {
  static let folder = Scratch.makeFolderOfTheRun("rejects")

  private static let root: String = {
    let parts = #filePath.split(separator: "/").dropLast(4)
    return "/" + parts.joined(separator: "/")
  }()

  static let rejects = root + "/Tests/Rejects"
  static let include = root + "/PluginAPI/C/include"
  static let hello = root + "/Plugins/Examples/Hello/hello.c"
  /// A header that gives a fixture a collection, "things".
  static let records = file(
    Array(
      (#"#define MANIFEST "{\"id\":\"reject\",\"version\":\"1\",\"requires\":[\"council.records/1\"],\"records\":[{\"name\":\"things\","#
        + #"\"fields\":[{\"name\":\"a\",\"type\":\"string\"}]}],\"routes\":[{\"method\":\"GET\",\"path\":\"/\",\"operation\":\"look\"}]}""#
        + "\n").utf8))
  private static let built = Monitor<[String: String]>([:])
  private static let number = Atomic<Int>(0)

  /// A path in the folder that nothing has used.
  static func path(_ ending: String = ".so") -> String {
    "\(folder)/\(number.add(1, ordering: .relaxed).newValue)\(ending)"
  }

  /// The shared object made of a fixture; every use gets a file of its own.
  static func plugin(_ fixture: String, _ flags: String = "") -> String {
    copy(of: build("\(rejects)/\(fixture).c", flags))
  }

  static func build(_ source: String, _ flags: String = "", shared: Bool = true) -> String {
    built.withLock { built in
      let key = "\(source) \(flags) \(shared)"
      if let known = built[key] { return known }
      let path = path()
      let kind = shared ? "-shared -fPIC -fvisibility=hidden" : "-pie -fPIE"
      let command =
        "cc -std=gnu11 -D_GNU_SOURCE -O1 -w \(kind) -I'\(include)' -I'\(rejects)' '\(source)' -o '\(path)' \(flags) -lpthread"
      precondition(shell(command) == 0, "this does not compile: \(command)")
      built[key] = path
      return path
    }
  }

  static func copy(of path: String) -> String {
    let copy = Workshop.path()
    write(read(path), to: copy)
    return copy
  }

  @discardableResult
  static func shell(_ command: String) -> Int32 {
    // Safe: the command is lent as a C string.
    unsafe command.withCString { unsafe system($0) }
  }

  static func read(_ path: String) -> [UInt8] {
    do { return try RegularFile.read(path, maxBytes: 1 << 30) } catch {
      preconditionFailure("\(path): \(error)")
    }
  }

  static func write(_ bytes: [UInt8], to path: String) {
    NewFile.remove(path)
    do { try NewFile.write(bytes, to: path, mode: 0o755, .load) } catch {
      preconditionFailure("\(path): \(error)")
    }
  }

  /// A new file with these bytes.
  static func file(_ bytes: [UInt8]) -> String {
    let path = path()
    write(bytes, to: path)
    return path
  }

  static func set(_ name: String, _ value: String) {
    // Safe: both are lent as C strings, and copied.
    _ = unsafe name.withCString { name in unsafe value.withCString { unsafe setenv(name, $0, 1) } }
  }

  static func fifo() -> String {
    let path = path()
    // Safe: the path is lent as a C string.
    _ = unsafe path.withCString { unsafe mkfifo($0, 0o600) }
    return path
  }

  static func link(to target: String) -> String {
    let path = path()
    // Safe: both are lent as C strings.
    _ = unsafe target.withCString { target in unsafe path.withCString { unsafe symlink(target, $0) } }
    return path
  }

  /// Where a section starts in a file.
  static func place(of section: String, in bytes: [UInt8]) -> Int? {
    do {
      let reader = try ElfReader(bytes)
      return try reader.sections(try reader.header()).first { $0.name == section }.map { Int($0.offset) }
    } catch { return nil }
  }

  /// The first bytes behind a section that belong to no section.
  static func gap(after section: String, in path: String) -> Range<Int>? {
    do {
      let reader = try ElfReader(read(path))
      let all = try reader.sections(try reader.header())
      guard let found = all.first(where: { $0.name == section }) else { return nil }
      let end = Int(found.offset + found.bytes)
      return end..<end + 16
    } catch { return nil }
  }
}

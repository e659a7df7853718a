import Kernel
import Scratch

/// Plugins compiled from the fixtures of Tests/Rejects, each once per run.
enum Fixtures {
  static let root: String = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  /// Gone at the end, unless COUNCIL_KEEP is set: homes and plugins can be looked at then.
  static let folder =
    System.environment("COUNCIL_KEEP") == nil
    ? Scratch.makeFolderOfTheRun("e2e") : Scratch.makeFolder("kept")

  /// Where a host can make its home; nothing is there yet.
  static func home() -> String { "\(folder)/home-\(UUIDv7.make())" }

  private static let built = Monitor<[String: String]>([:])

  /// `cc` over a fixture, by its path from Tests/Rejects; `flags` go to the compiler, so that `-D` can change it.
  static func plugin(_ name: String, _ flags: String = "", shared: Bool = true) -> String {
    built.withLock { built in
      if let known = built[name + flags] { return known }
      let path = "\(folder)/\(built.count)-\(name.split(separator: "/").last ?? "").so"
      let kind = shared ? "-shared -fPIC -fvisibility=hidden" : "-pie -fPIE"
      let rejects = "\(root)/Tests/Rejects"
      let command =
        "cc -std=gnu11 -D_GNU_SOURCE -O1 -w \(kind) -I'\(root)/PluginAPI/C/include' -I'\(rejects)' "
        + "'\(rejects)/\(name).c' -o '\(path)' \(flags) -lpthread"
      precondition(System.shell(command) == 0, "this does not compile: \(command)")
      built[name + flags] = path
      return path
    }
  }

  /// A good plugin, or the one of another fixture, with another manifest.
  static func plugin(
    _ name: String = "good", manifest: String, version: Int = 0, _ flags: String = ""
  ) -> String {
    let escaped = manifest.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    let header = "\(folder)/manifest-\(UUIDv7.make()).h"
    System.write("#define MANIFEST \"\(escaped)\"\n", to: header)
    return plugin(name, "-include '\(header)' -DVERSION=\(version) \(flags)")
  }

  /// A file with these bytes.
  static func file(_ bytes: [UInt8], _ name: String) -> String {
    let path = "\(folder)/\(UUIDv7.make())-\(name)"
    System.write(bytes, to: path)
    return path
  }
}

extension String {
  /// Every occurrence of one text in place of another.
  fileprivate func replacing(_ text: String, with other: String) -> String {
    var result = ""
    var rest = self[...]
    while !rest.isEmpty {
      if rest.hasPrefix(text) {
        result += other
        rest = rest.dropFirst(text.count)
      } else {
        result.append(rest.removeFirst())
      }
    }
    return result
  }
}

extension Fixtures {
  /// Plugins/Examples/Hello with another version and another greeting.
  static func hello(version: String, word: String) -> String {
    let source = "\(root)/Plugins/Examples/Hello/hello.c"
    let path = "\(folder)/hello-\(version)-\(word).so"
    // Two tests may want it at the same time.
    built.withLock { _ in
      if System.exists(path) { return }
      let command =
        "sed 's/1\\.0\\.0/\(version)/; s/Hello, \"/\(word), \"/' '\(source)' | cc -std=c11 -O1 -shared -fPIC "
        + "-fvisibility=hidden -I'\(root)/PluginAPI/C/include' -Wl,-Bsymbolic -Wl,-z,now "
        + "-Wl,--version-script='\(root)/PluginAPI/Recipes/plugin.map' -x c - -o '\(path).part' && mv '\(path).part' '\(path)'"
      precondition(System.shell(command) == 0, "this does not compile: \(command)")
    }
    return path
  }
}

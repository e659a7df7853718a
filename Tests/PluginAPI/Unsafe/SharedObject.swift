import CouncilPlugin
import CouncilTesting
import Glibc

/// A plugin's file, mapped as the host maps it: for good.
@safe struct SharedObject {
  struct Unusable: Error {
    var reason: String
  }

  private let entry: @convention(c) () -> PluginTable?

  /// Throws the linker's words when the file cannot be mapped or has no entry.
  init(_ path: String) throws {
    // Safe: the image stays mapped, so that its functions stay.
    guard let handle = unsafe dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) else {
      throw Unusable(reason: unsafe String(cString: dlerror()))
    }
    guard let symbol = unsafe dlsym(handle, "council_plugin_entry_v1") else {
      throw Unusable(reason: "no council_plugin_entry_v1")
    }
    unsafe entry = unsafeBitCast(symbol, to: (@convention(c) () -> PluginTable?).self)
  }

  func host(config: JSON = [:]) throws -> FakeHost { try unsafe FakeHost(entry: entry, config: config) }
}

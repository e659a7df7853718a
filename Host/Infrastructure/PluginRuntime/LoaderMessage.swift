import Kernel

/// The dynamic loader says why it refuses a file in text alone (`dlerror` has no code), so this is the one place that
/// reads such text. It is glibc's, in English: no process of ours sets a locale. What it does not know is
/// `plugin.link.failed`, with the text.
enum LoaderMessage {
  static func refusal(_ text: String, _ path: String, _ step: Step) -> Problem {
    let message = text.hasPrefix("\(path): ") ? String(text.dropFirst(path.utf8.count + 2)) : text
    let members: [String: JSONValue] = ["loader": .string(text)]
    if text.contains("undefined symbol: ") {
      let symbol = after("undefined symbol: ", in: text)
      // The loader says "undefined symbol: name, version V" where a version is asked for.
      if text.contains(", version ") {
        return named(
          "link.symbol_version", "A needed symbol has another version: \(message).", members, step, symbol)
      }
      return named("link.undefined_symbol", "A symbol is defined nowhere: \(message).", members, step, symbol)
    }
    if text.contains("version `") && text.contains("' not found")
      || text.contains(" not defined in file ")
    {
      return PluginRuntime.refusal(
        step, "link.symbol_version", "A needed library has another version: \(message).", members)
    }
    if text.contains("cannot open shared object file") {
      return PluginRuntime.refusal(
        step, "link.missing_library", "A needed library is missing: \(message).", members)
    }
    return PluginRuntime.refusal(
      step, "link.failed", "The dynamic loader refuses the file: \(message).", members)
  }

  private static func named(
    _ code: String, _ detail: String, _ members: [String: JSONValue], _ step: Step, _ symbol: String
  ) -> Problem {
    var all = members
    all["symbol"] = .string(symbol)
    return PluginRuntime.refusal(step, code, detail, all)
  }

  private static func after(_ mark: String, in text: String) -> String {
    let mark = Array(mark.utf8)
    let bytes = Array(text.utf8)
    guard let start = bytes.indices.first(where: { bytes[$0...].starts(with: mark) }) else { return "" }
    let rest = bytes[(start + mark.count)...].prefix { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: " ") }
    return String(decoding: rest, as: UTF8.self)
  }
}

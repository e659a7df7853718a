import Scratch
import Testing

/// The code that README.md shows is the code that a newcomer pastes.
@Suite struct ReadmeTests {
  private let text = contents(of: "\(repository)/README.md")

  @Test func thePluginInCIsShortAndCompilesWithTheLineBelowIt() throws {
    let code = try #require(block("c"))
    #expect(code.split(separator: "\n", omittingEmptySubsequences: false).count <= 40)
    let folder = ScratchFolder("tests")
    write(code, to: "\(folder.path)/ping.c")
    let command = try #require(text.components(between: "```\ncc ", and: "\n```"))
    let built = shell(
      "cd '\(repository)' && cc \(command) -Wall -Wextra -Werror"
        .replacing("ping.c -o ping.so", with: "'\(folder.path)/ping.c' -o '\(folder.path)/ping.so'"))
    #expect(built.status == 0, "\(built.output)")
    let symbols = shell("nm -D --defined-only '\(folder.path)/ping.so'").output
    #expect(symbols.contains("council_plugin_entry_v1"))
  }

  @Test func thePluginInSwiftIsShortAndCompiles() throws {
    let code = try #require(block("swift"))
    #expect(code.split(separator: "\n", omittingEmptySubsequences: false).count <= 20)
    let folder = ScratchFolder("tests")
    write(code, to: "\(folder.path)/Notes.swift")
    let checked = shell(
      "swiftc -typecheck -parse-as-library -swift-version 6 -I '\(productsFolder)/Modules' "
        + "-I '\(repository)/PluginAPI/C/include' "
        + "-Xcc -fmodule-map-file='\(productsFolder)/CCouncil.build/module.modulemap' '\(folder.path)/Notes.swift'"
    )
    #expect(checked.status == 0, "\(checked.output)")
  }

  private func block(_ language: String) -> String? {
    text.components(between: "```\(language)\n", and: "\n```")
  }
}

extension String {
  /// What stands between two texts, at their first occurrence.
  fileprivate func components(between start: String, and end: String) -> String? {
    guard let from = place(of: start), let to = self[from...].place(of: end, before: true) else { return nil }
    return String(self[from..<to])
  }

  fileprivate func replacing(_ text: String, with other: String) -> String {
    guard let end = place(of: text) else { return self }
    return self[..<index(end, offsetBy: -text.count)] + other + self[end...]
  }
}

extension StringProtocol {
  /// The place after the first occurrence of `text`, or before it.
  fileprivate func place(of text: String, before: Bool = false) -> Index? {
    var place = startIndex
    while place < endIndex {
      if self[place...].hasPrefix(text) { return before ? place : index(place, offsetBy: text.count) }
      place = index(after: place)
    }
    return nil
  }
}

import CCouncil
import Scratch
import Testing

/// The ABI is frozen: these tests fail when a compiler on this machine lays a struct out in another way than layout.txt has it.
@Suite struct LayoutTests {
  private static let golden: [(name: String, value: Int)] = contents(
    of: "\(repository)/PluginAPI/C/layout.txt"
  )
  .split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
    let parts = line.split(separator: " ")
    return (String(parts[0]), Int(parts[1]) ?? .min)
  }

  @Test func coversEveryStructOfTheHeader() {
    let header = contents(of: "\(repository)/PluginAPI/C/include/council.h")
    let structs = header.split(separator: "\n").filter { $0.hasPrefix("} council_") }
      .map { String($0.dropFirst(2).dropLast()) }
    #expect(structs.count == 10)
    for name in structs { #expect(LayoutTests.golden.contains { $0.name == name }, "\(name)") }
  }

  @Test(arguments: ["cc -std=c11", "c++ -std=c++17 -x c++", "clang -std=c11", "clang++ -std=c++17 -x c++"])
  func holdsInCompilersOfCAndCPlusPlus(compiler: String) {
    var source = "#include \"council.h\"\n#include <assert.h>\n"
    for line in LayoutTests.golden {
      let parts = line.name.split(separator: ".")
      let expression =
        if parts.count == 2 { "offsetof(\(parts[0]), \(parts[1]))" } else if line.name.hasPrefix("COUNCIL_") {
          "(long)\(line.name)"
        } else { "sizeof(\(line.name))" }
      source += "static_assert(\(expression) == \(line.value), \"\(line.name)\");\n"
    }
    source += "int layout_is_checked(void);\nint layout_is_checked(void) { return 0; }\n"
    let folder = ScratchFolder("tests")
    write(source, to: "\(folder.path)/layout.c")
    let command =
      "\(compiler) -Wall -Wextra -Werror -pedantic -I'\(repository)/PluginAPI/C/include' -fsyntax-only "
      + "'\(folder.path)/layout.c'"
    let result = shell(command)
    #expect(result.status == 0, "\(result.output)")
  }

  @Test func holdsInSwift() {
    let found = LayoutTests.swiftLayout
    for line in LayoutTests.golden where !line.name.hasPrefix("COUNCIL_") {
      #expect(found[line.name] == line.value, "\(line.name)")
    }
    #expect(found.count == LayoutTests.golden.count { !$0.name.hasPrefix("COUNCIL_") })
  }

  @Test func numbersTheOperationsAsSwiftDoes() {
    #expect(COUNCIL_OK == 0 && COUNCIL_PENDING == 1 && COUNCIL_PRECONDITION == -11)
    #expect(COUNCIL_RECORDS_GET == 1 && COUNCIL_RECORDS_QUERY == 10)
    #expect(COUNCIL_HTTP_METHOD == 1 && COUNCIL_HTTP_HEADERS == 11)
  }
}

extension LayoutTests {
  /// Sizes and offsets as the importer has them.
  fileprivate static var swiftLayout: [String: Int] {
    // Safe: nothing is read, only measured.
    unsafe [
      "council_view_v1": MemoryLayout<council_view_v1>.size,
      "council_view_v1.ptr": MemoryLayout<council_view_v1>.offset(of: \.ptr) ?? -1,
      "council_view_v1.len": MemoryLayout<council_view_v1>.offset(of: \.len) ?? -1,
      "council_owned_v1": MemoryLayout<council_owned_v1>.size,
      "council_owned_v1.ptr": MemoryLayout<council_owned_v1>.offset(of: \.ptr) ?? -1,
      "council_owned_v1.len": MemoryLayout<council_owned_v1>.offset(of: \.len) ?? -1,
      "council_owned_v1.release": MemoryLayout<council_owned_v1>.offset(of: \.release) ?? -1,
      "council_owned_v1.ctx": MemoryLayout<council_owned_v1>.offset(of: \.ctx) ?? -1,
      "council_host_v1": MemoryLayout<council_host_v1>.size,
      "council_host_v1.abi_major": MemoryLayout<council_host_v1>.offset(of: \.abi_major) ?? -1,
      "council_host_v1.abi_minor": MemoryLayout<council_host_v1>.offset(of: \.abi_minor) ?? -1,
      "council_host_v1.get_extension": MemoryLayout<council_host_v1>.offset(of: \.get_extension) ?? -1,
      "council_host_v1.fail": MemoryLayout<council_host_v1>.offset(of: \.fail) ?? -1,
      "council_plugin_v1": MemoryLayout<council_plugin_v1>.size,
      "council_plugin_v1.abi_major": MemoryLayout<council_plugin_v1>.offset(of: \.abi_major) ?? -1,
      "council_plugin_v1.min_host_minor": MemoryLayout<council_plugin_v1>.offset(of: \.min_host_minor) ?? -1,
      "council_plugin_v1.manifest": MemoryLayout<council_plugin_v1>.offset(of: \.manifest) ?? -1,
      "council_plugin_v1.create": MemoryLayout<council_plugin_v1>.offset(of: \.create) ?? -1,
      "council_plugin_v1.activate": MemoryLayout<council_plugin_v1>.offset(of: \.activate) ?? -1,
      "council_plugin_v1.handle": MemoryLayout<council_plugin_v1>.offset(of: \.handle) ?? -1,
      "council_plugin_v1.cancel": MemoryLayout<council_plugin_v1>.offset(of: \.cancel) ?? -1,
      "council_plugin_v1.quiesce": MemoryLayout<council_plugin_v1>.offset(of: \.quiesce) ?? -1,
      "council_plugin_v1.stop": MemoryLayout<council_plugin_v1>.offset(of: \.stop) ?? -1,
      "council_plugin_v1.destroy": MemoryLayout<council_plugin_v1>.offset(of: \.destroy) ?? -1,
      "council_plugin_v1.get_extension": MemoryLayout<council_plugin_v1>.offset(of: \.get_extension) ?? -1,
      "council_header_v1": MemoryLayout<council_header_v1>.size,
      "council_header_v1.name": MemoryLayout<council_header_v1>.offset(of: \.name) ?? -1,
      "council_header_v1.value": MemoryLayout<council_header_v1>.offset(of: \.value) ?? -1,
      "council_response_v1": MemoryLayout<council_response_v1>.size,
      "council_response_v1.status": MemoryLayout<council_response_v1>.offset(of: \.status) ?? -1,
      "council_response_v1.content_type": MemoryLayout<council_response_v1>.offset(of: \.content_type) ?? -1,
      "council_response_v1.headers": MemoryLayout<council_response_v1>.offset(of: \.headers) ?? -1,
      "council_response_v1.header_count": MemoryLayout<council_response_v1>.offset(of: \.header_count) ?? -1,
      "council_response_v1.body": MemoryLayout<council_response_v1>.offset(of: \.body) ?? -1,
      "council_http_v1": MemoryLayout<council_http_v1>.size,
      "council_http_v1.get": MemoryLayout<council_http_v1>.offset(of: \.get) ?? -1,
      "council_http_v1.deadline": MemoryLayout<council_http_v1>.offset(of: \.deadline) ?? -1,
      "council_http_v1.respond": MemoryLayout<council_http_v1>.offset(of: \.respond) ?? -1,
      "council_http_v1.problem": MemoryLayout<council_http_v1>.offset(of: \.problem) ?? -1,
      "council_records_result_v1": MemoryLayout<council_records_result_v1>.size,
      "council_records_result_v1.json": MemoryLayout<council_records_result_v1>.offset(of: \.json) ?? -1,
      "council_records_result_v1.version": MemoryLayout<council_records_result_v1>.offset(of: \.version)
        ?? -1,
      "council_records_result_v1.problem_status": MemoryLayout<council_records_result_v1>.offset(
        of: \.problem_status) ?? -1,
      "council_records_v1": MemoryLayout<council_records_v1>.size,
      "council_records_v1.collection": MemoryLayout<council_records_v1>.offset(of: \.collection) ?? -1,
      "council_records_v1.call": MemoryLayout<council_records_v1>.offset(of: \.call) ?? -1,
      "council_stream_v1": MemoryLayout<council_stream_v1>.size,
      "council_stream_v1.begin": MemoryLayout<council_stream_v1>.offset(of: \.begin) ?? -1,
      "council_stream_v1.write": MemoryLayout<council_stream_v1>.offset(of: \.write) ?? -1,
      "council_stream_v1.wait": MemoryLayout<council_stream_v1>.offset(of: \.wait) ?? -1,
      "council_stream_v1.end": MemoryLayout<council_stream_v1>.offset(of: \.end) ?? -1,
      "council_stream_v1.abort": MemoryLayout<council_stream_v1>.offset(of: \.abort) ?? -1,
      "council_log_v1": MemoryLayout<council_log_v1>.size,
      "council_log_v1.write": MemoryLayout<council_log_v1>.offset(of: \.write) ?? -1,
      "council_request": MemoryLayout<council_request>.size,
      "council_status": MemoryLayout<council_status>.size,
    ]
  }
}

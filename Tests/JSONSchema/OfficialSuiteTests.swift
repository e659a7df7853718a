import Application
import Kernel
import Testing

@testable import JSONSchema

/// Runs each test of the official suite, and holds the reasons for those that do not pass.
@Suite struct OfficialSuiteTests {
  /// Tests that do not pass, by `file`, `file: case` or `file: case: test`, and why. One that names no failure is
  /// a failure too.
  static let mandatoryExceptions: [String: String] = [:]

  static let optionalExceptions = [
    "optional/bignum.json": "the parser refuses integers beyond 64 bits, so the file is no document",
    "optional/cross-draft.json": "only draft 2020-12 is supported; another one is refused by name",
  ]

  static let formatExceptions = [
    "optional/format/idn-hostname.json": "refused by name: it needs Unicode's tables of labels"
  ]

  @Test func passesTheMandatoryTestsOfDraft202012() throws {
    try check(part: "", formats: false, exceptions: Self.mandatoryExceptions)
  }

  @Test func countsTheOptionalTests() throws {
    try check(part: "optional/", formats: false, exceptions: Self.optionalExceptions)
  }

  @Test func assertsFormats() throws {
    try check(part: "optional/format/", formats: true, exceptions: Self.formatExceptions)
  }

  private func check(part: String, formats: Bool, exceptions: [String: String]) throws {
    let suite: OfficialSuite
    do { suite = try OfficialSuite() } catch {
      Issue.record("\(error)")
      return
    }
    let compiler = JSONSchemaCompiler(assertsFormats: formats, documents: try suite.remotes())
    var passed = 0
    var total = 0
    var unused = Set(exceptions.keys)
    for file in try suite.files(in: part) {
      let tally = try run(file, suite, compiler)
      print("\(file): \(tally.passed) of \(tally.total)")
      passed += tally.passed
      total += tally.total
      for failure in tally.failed {
        if let listed = exceptions.keys.first(where: { failure.hasPrefix($0) }) {
          unused.remove(listed)
        } else {
          Issue.record("fails, and is no exception: \(failure)")
        }
      }
    }
    print("JSON Schema 2020-12 \(part.isEmpty ? "mandatory" : part): \(passed) of \(total) pass")
    #expect(total > 0)
    #expect(unused.isEmpty, "passes, and is listed as an exception")
  }

  private func run(_ file: String, _ suite: OfficialSuite, _ compiler: JSONSchemaCompiler) throws
    -> SuiteTally
  {
    var tally = SuiteTally()
    let document: JSONDocument
    do { document = try suite.read(file) } catch {
      return SuiteTally(passed: 0, failed: [file])
    }
    var groups = document.root.elements
    while groups.next() {
      let name = "\(file): \(groups.value.text(of: "description"))"
      var compiled: (any CompiledSchema)?
      do { compiled = try compiler.compile(groups.value.value(of: "schema")) } catch {
        print("\(name): \(error.code) \(error.detail)")
      }
      let tests = groups.value.member("tests".utf8.span)!
      run(tests, of: name, on: compiled, &tally)
    }
    return tally
  }

  private func run(
    _ tests: JSONElement, of name: String, on schema: (any CompiledSchema)?, _ tally: inout SuiteTally
  ) {
    var tests = tests.elements
    while tests.next() {
      var isValid: Bool?
      if let schema {
        let data = tests.value.member("data".utf8.span)!
        isValid = schema.validate(data, limit: 10).isEmpty
      }
      if isValid == tests.value.value(of: "valid").bool {
        tally.passed += 1
      } else {
        tally.failed.append("\(name): \(tests.value.text(of: "description"))")
      }
    }
  }
}

extension JSONElement {
  fileprivate func value(of name: String) -> JSONValue {
    guard let member = member(name.utf8.span) else { return .null }
    return JSONValue(member)
  }

  fileprivate func text(of name: String) -> String { value(of: name).string ?? "" }
}

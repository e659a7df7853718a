import Domain
import Kernel
import Testing

@Suite struct ScopesTests {
  @Test(arguments: [
    ("accounts:read", "accounts:read", true), ("accounts:*", "accounts:read", true),
    ("*", "accounts:read", true), ("accounts:write", "accounts:read", false),
    ("account:*", "accounts:read", false), ("accounts:*", "accounts", false),
    ("accounts:*", "accounts:read:one", true), ("accounts:read", "accounts:read:one", false),
    ("accounts:r*", "accounts:read", false),
  ])
  func grants(granted: String, required: String, expected: Bool) {
    #expect(Scope.grants(granted, required) == expected)
  }

  @Test func theMatrixAgreesWithTheRuleInEitherOrderOfNaming() throws {
    let matrix = ScopeMatrix(maxSets: 64, maxRequired: 128)
    let sets = [["accounts:read"], ["accounts:*"], ["*"], [], ["hello:say", "accounts:write"]]
    let required =
      (0..<100).map { "accounts:action\($0)" } + ["accounts:read", "hello:say", "accounts:write"]
    let early = try sets.prefix(2).map { try matrix.set($0) }
    let requiredIDs = try required.map { try matrix.require($0) }
    let all = try early + sets.dropFirst(2).map { try matrix.set($0) }
    for (set, id) in zip(sets, all) {
      for (scope, requiredID) in zip(required, requiredIDs) {
        #expect(matrix.allows(id, requiredID) == set.contains { Scope.grants($0, scope) })
      }
    }
  }

  @Test func theSameScopesInAnotherOrderAreTheSameSet() throws {
    let matrix = ScopeMatrix()
    let first = try matrix.set(["b:read", "a:read", "b:read"])
    #expect(try matrix.set(["a:read", "b:read"]) == first)
    #expect(matrix.scopes(of: first) == ["a:read", "b:read"])
  }

  @Test(arguments: [
    "", ":", "a:", "A:read", "a b", "a:*", "a:b:c:d:e", "-a", String(repeating: "a", count: 129),
  ])
  func refusesToRequire(scope: String) {
    let problem = #expect(throws: Problem.self) { try ScopeMatrix().require(scope) }
    #expect(problem?.code == "scope.invalid")
  }

  @Test(arguments: ["**", "*:read", "a:*:b", "a:b*", ""])
  func refusesToGrant(scope: String) {
    let problem = #expect(throws: Problem.self) { try ScopeMatrix().set([scope]) }
    #expect(problem?.code == "scope.invalid")
  }

  @Test func refusesMoreSetsAndRequirementsThanFit() throws {
    let matrix = ScopeMatrix(maxSets: 2, maxRequired: 64)
    for number in 0..<2 { _ = try matrix.set(["a:n\(number)"]) }
    #expect(#expect(throws: Problem.self) { try matrix.set(["a:n2"]) }?.code == "scope.too_many_sets")
    for number in 0..<64 { _ = try matrix.require("a:n\(number)") }
    #expect(#expect(throws: Problem.self) { try matrix.require("a:n64") }?.code == "scope.too_many")
    #expect(matrix.allows(try matrix.set(["a:n1"]), try matrix.require("a:n1")))
  }
}

package import Kernel
import Synchronization

/// A permission as text: `accounts:read`. What is granted may end in `*`, for all that starts so; `*` alone is all.
package enum Scope {
  package static let maxLength = 128

  /// One to four parts joined by `:`, each `[a-z0-9][a-z0-9_.-]*`.
  package static func isValid(_ scope: String) -> Bool {
    let parts = scope.split(separator: ":", omittingEmptySubsequences: false)
    return scope.utf8.count <= maxLength && parts.count <= 4 && parts.allSatisfy(isPart)
  }

  /// A scope, one whose last part is `*`, or `*`.
  package static func isValidGrant(_ scope: String) -> Bool {
    if scope == "*" { return true }
    guard scope.hasSuffix(":*") else { return isValid(scope) }
    return isValid(String(scope.dropLast(2)))
  }

  package static func grants(_ granted: String, _ required: String) -> Bool {
    if granted == "*" || granted == required { return true }
    return granted.hasSuffix(":*") && required.hasPrefix(granted.dropLast(1))
  }

  private static func isPart(_ part: Substring) -> Bool {
    guard let first = part.utf8.first else { return false }
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    let marks: [UInt8] = [UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-")]
    return (letters.contains(first) || digits.contains(first))
      && part.utf8.allSatisfy { letters.contains($0) || digits.contains($0) || marks.contains($0) }
  }
}

/// The number of a set of granted scopes in a ``ScopeMatrix``.
package struct ScopeSetID: Sendable, Hashable {
  package let number: UInt16
}

/// The number of a scope that a route requires in a ``ScopeMatrix``.
package struct RequiredScopeID: Sendable, Hashable {
  package let number: UInt16
}

/// Which set of granted scopes holds which required scope: one bit each, computed when either is first named.
///
/// The request path asks with two numbers and reads one word. Sets and requirements are never forgotten; their
/// number is bounded, and memory is taken for those that exist.
package final class ScopeMatrix: Sendable {
  private struct Names {
    var sets: [[String]] = []
    var setNumbers: [[String]: UInt16] = [:]
    var required: [String] = []
    var requiredNumbers: [String: UInt16] = [:]
  }

  private let names = Monitor(Names())
  private let bits: AtomicWords
  private let maxSets: Int
  private let maxRequired: Int

  package init(maxSets: Int = 8192, maxRequired: Int = 4096) {
    precondition((1...32_768).contains(maxSets) && (64...65_536).contains(maxRequired))
    self.maxSets = maxSets
    self.maxRequired = maxRequired
    bits = AtomicWords(count: maxSets * ((maxRequired + 63) / 64))
  }

  /// Whether the set holds the scope. [any]
  @inline(__always)
  package func allows(_ set: ScopeSetID, _ required: RequiredScopeID) -> Bool {
    bits.load(word(set.number, required.number)) >> UInt64(required.number & 63) & 1 != 0
  }

  /// The number of a set of scopes: the same for the same scopes in any order. [control]
  ///
  /// Throws `scope.invalid` (422) or `scope.too_many_sets` (503).
  package func set(_ scopes: [String]) throws(Problem) -> ScopeSetID {
    for scope in scopes where !Scope.isValidGrant(scope) { throw ScopeMatrix.invalid(scope) }
    let sorted = Array(Set(scopes)).sorted()
    return try names.withLock { names throws(Problem) in
      if let known = names.setNumbers[sorted] { return ScopeSetID(number: known) }
      guard names.sets.count < maxSets else {
        throw Problem(503, "scope.too_many_sets", "no more than \(maxSets) different sets of scopes fit")
      }
      let number = UInt16(names.sets.count)
      for (index, required) in names.required.enumerated() {
        mark(number, UInt16(index), if: sorted, grant: required)
      }
      names.sets.append(sorted)
      names.setNumbers[sorted] = number
      return ScopeSetID(number: number)
    }
  }

  /// The number of a scope that a route requires. [control]
  ///
  /// Throws `scope.invalid` (422) or `scope.too_many` (503).
  package func require(_ scope: String) throws(Problem) -> RequiredScopeID {
    guard Scope.isValid(scope) else { throw ScopeMatrix.invalid(scope) }
    return try names.withLock { names throws(Problem) in
      if let known = names.requiredNumbers[scope] { return RequiredScopeID(number: known) }
      guard names.required.count < maxRequired else {
        throw Problem(503, "scope.too_many", "no more than \(maxRequired) different required scopes fit")
      }
      let number = UInt16(names.required.count)
      for (index, set) in names.sets.enumerated() { mark(UInt16(index), number, if: set, grant: scope) }
      names.required.append(scope)
      names.requiredNumbers[scope] = number
      return RequiredScopeID(number: number)
    }
  }

  /// The scopes of a set, sorted. [control]
  package func scopes(of set: ScopeSetID) -> [String] {
    names.withLock { $0.sets[Int(set.number)] }
  }

  /// Under the lock: one writer at a time.
  private func mark(_ set: UInt16, _ required: UInt16, if scopes: [String], grant scope: String) {
    guard scopes.contains(where: { Scope.grants($0, scope) }) else { return }
    let index = word(set, required)
    bits.store(bits.load(index) | 1 << UInt64(required & 63), at: index)
  }

  @inline(__always)
  private func word(_ set: UInt16, _ required: UInt16) -> Int {
    Int(set) * ((maxRequired + 63) / 64) + Int(required >> 6)
  }

  private static func invalid(_ scope: String) -> Problem {
    Problem(
      422, "scope.invalid",
      "a scope is one to four parts of a-z, 0-9, _, . and -, joined by colons; a granted one may end in :*",
      members: ["scope": .string(String(scope.prefix(Scope.maxLength)))])
  }
}

package import Application
import Testing

/// One thing that every records engine does. An engine's tests run ``all`` against fresh, empty stores:
/// `@Test(arguments: ContractCase.all) func keepsTheContract(_ case: ContractCase) throws`.
///
/// The stores under test take their time from the case's ``clock`` and encrypt with a cipher.
package struct ContractCase: Sendable, CustomTestStringConvertible {
  package let name: String
  package let run: @Sendable (any RecordStores) throws -> Void
  package let clock: TestClock

  package init(_ name: String, _ run: @escaping @Sendable (any RecordStores) throws -> Void) {
    self.name = name
    self.run = run
    clock = TestClock()
  }

  /// A case in which time passes.
  package init(
    _ name: String, passing run: @escaping @Sendable (any RecordStores, TestClock) throws -> Void
  ) {
    let clock = TestClock()
    self.name = name
    self.clock = clock
    self.run = { try run($0, clock) }
  }

  package var testDescription: String { name }

  package static let all: [ContractCase] =
    documents + changes + filters + pages + namedQueries + migrations + searching + encryption + expiry
}

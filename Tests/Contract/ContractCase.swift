package import Application
import Testing

/// One thing that every records engine does. An engine's tests run ``all`` against fresh, empty stores:
/// `@Test(arguments: ContractCase.all) func keepsTheContract(_ case: ContractCase) throws`.
package struct ContractCase: Sendable, CustomTestStringConvertible {
  package let name: String
  package let run: @Sendable (any RecordStores) throws -> Void

  package init(_ name: String, _ run: @escaping @Sendable (any RecordStores) throws -> Void) {
    self.name = name
    self.run = run
  }

  package var testDescription: String { name }

  package static let all: [ContractCase] = documents + changes + filters + pages + namedQueries + migrations
}

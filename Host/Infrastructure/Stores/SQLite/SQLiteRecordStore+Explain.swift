import Application
import Domain
package import Kernel

/// How SQLite answers one page, for people who choose indexes and for tests.
package struct PageExplanation: Sendable, Equatable {
  /// SQLite's own words, one line per loop: `SEARCH accounts USING INDEX …`.
  package var plan: [String]
  /// Steps of SQLite's engine: what the page cost, whatever the clock says.
  package var steps: Int
  package var records: Int
}

extension SQLiteRecordStore {
  /// Runs a find and tells how it was answered.
  package func explain(collection: Int, input: Span<UInt8>) throws(Problem) -> PageExplanation {
    let target = collections[collection]
    let query = try query(input, of: target)
    return try read { reader throws(SQLiteError) in
      try reader.snapshot { () throws(SQLiteError) in
        var explanation = PageExplanation(plan: [], steps: 0, records: 0)
        var page = Page(query, target, now: now(for: target))
        for segment in segments(of: query, target) {
          let (clause, statement) = try statement(for: page, segment: segment, reader)
          let plan = try reader.connection.prepare("EXPLAIN QUERY PLAN " + text(page, clause))
          for (index, value) in clause.values.enumerated() { try plan.bind(index + 1, value) }
          while try plan.step() { explanation.plan.append(plan.text(3)) }
          _ = statement.takeStepCount()
          let isFull = try add(to: &page, segment: segment, reader)
          explanation.steps += statement.takeStepCount()
          if isFull { break }
        }
        explanation.records = page.count
        return explanation
      }
    }
  }

  /// Compiled statements that the calling thread keeps for this file.
  package func statementsOfThisThread() throws(Problem) -> Int {
    try read { reader throws(SQLiteError) in reader.statementCount }
  }
}

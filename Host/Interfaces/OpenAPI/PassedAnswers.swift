import Application
import Kernel

/// The answers of a path that passes on those of other operations, status by status.
enum PassedAnswers {
  /// The answers of its manual, and the statuses of the problems beside them. `own` are those that the host itself answers
  /// with on that path.
  static func of(
    _ manual: OwnManual, _ own: [Int], _ operations: [Described]
  ) -> (answers: [OwnManual.Answer], refusals: [Int]) {
    guard let passing = manual.passesOn else { return (manual.answers, own) }
    let lasting = operations.filter { $0.preferences.contains(.async) }
    let passed = passing == .jobs ? lasting : operations
    // Those that handlers alone answer with have no words of the host's.
    let known = passed.reduce(into: Set(own)) { $0.formUnion($1.refusals) }
    let (statuses, isOpen) = statuses(of: passed)
    var all = statuses.union(own)
    if passing == .calls {
      let bodiless = all.filter { $0 == 204 || $0 == 205 || (300..<400).contains($0) }
      all.subtract(bodiless)
      if !bodiless.isEmpty { all.insert(200) }
      // A job is asked for, and cancelled, by name.
      if !lasting.isEmpty { all.formUnion([200, 202, 404, 410]) }
    }
    let isRange = { (answer: OwnManual.Answer) in answer.status.hasSuffix("XX") }
    var answers = manual.answers.filter { !isRange($0) }
    let said = Set(answers.map(\.status))
    var refusals: [Int] = []
    for status in all.sorted() where !said.contains(String(status)) {
      if var answer = manual.answers.first(where: { $0.status == "\(status / 100)XX" }) {
        answer.status = String(status)
        if status == 204 || status == 205 { answer.content = [:] }
        answers.append(answer)
      } else if known.contains(status) {
        refusals.append(status)
      } else {
        let problem = status < 400 ? [:] : [OwnManual.problem.type: OwnManual.problem.schema]
        answers.append(OwnManual.Answer(String(status), "What the call came to.", problem))
      }
    }
    if isOpen, let any = manual.answers.first(where: { $0.status == "2XX" }) { answers.append(any) }
    return (answers, refusals)
  }

  /// What the documents of the operations say; open where a success of one may have any status.
  private static func statuses(of operations: [Described]) -> (Set<Int>, isOpen: Bool) {
    var all: Set<Int> = []
    for operation in operations {
      all.formUnion(operation.successes.compactMap(\.status))
      all.formUnion(operation.refusals)
      all.formUnion(operation.faults.map(\.status))
      if operation.preferences.contains(.async) { all.insert(202) }
      if operation.mayBeUnchanged { all.insert(304) }
    }
    return (all, operations.contains { $0.successes.contains { $0.status == nil } })
  }
}

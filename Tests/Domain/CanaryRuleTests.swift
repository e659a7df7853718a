import Domain
import Testing

@Suite struct CanaryRuleTests {
  private func figures(_ requests: Int, errors: Int = 0, milliseconds: Double = 1) -> CanaryFigures {
    var figures = CanaryFigures()
    for number in 0..<requests {
      // A tenth more or less, so that there is a variance.
      let duration = milliseconds * (number % 2 == 0 ? 0.9 : 1.1)
      figures.add(status: number < errors ? 500 : 200, nanoseconds: Int64(duration * 1_000_000))
    }
    return figures
  }

  private let rule = CanaryRule()

  @Test func decidesNothingOnTooFew() {
    let bad = figures(49, errors: 49)
    #expect(rule.judge(new: bad, old: figures(500), isOver: false) == .undecided)
    guard case .tooFew(let reason) = rule.judge(new: bad, old: figures(500), isOver: true) else {
      return #expect(Bool(false))
    }
    #expect(reason.contains("49") && reason.contains("500") && reason.contains("50 on each side"))
    guard case .tooFew = rule.judge(new: figures(500), old: figures(49), isOver: true) else {
      return #expect(Bool(false))
    }
    guard case .worse = rule.judge(new: figures(50, errors: 50), old: figures(50), isOver: false) else {
      return #expect(Bool(false))
    }
  }

  @Test func equalSidesAreGoodAtTheEnd() {
    #expect(rule.judge(new: figures(1000), old: figures(1000), isOver: false) == .undecided)
    #expect(rule.judge(new: figures(1000), old: figures(1000), isOver: true) == .good)
    let failing = figures(1000, errors: 300)
    #expect(rule.judge(new: failing, old: failing, isOver: true) == .good)
  }

  @Test(arguments: [
    // A margin of one in a hundred, of 1,000 requests on each side.
    (10, false, false), (15, false, false), (25, false, true), (40, true, true), (1000, true, true),
  ])
  func errorsBeyondTheMarginAndBeyondChance(errors: Int, early: Bool, final: Bool) {
    let (new, old) = (figures(1000, errors: errors), figures(1000))
    #expect(isWorse(rule.judge(new: new, old: old, isOver: false)) == early)
    #expect(isWorse(rule.judge(new: new, old: old, isOver: true)) == final)
  }

  @Test(arguments: [(1.0, false), (14.0, false), (17.0, true), (100.0, true)])
  func meanDurationsBeyondTheRatio(milliseconds: Double, worse: Bool) {
    let verdict = rule.judge(
      new: figures(500, milliseconds: milliseconds), old: figures(500, milliseconds: 10), isOver: true)
    #expect(isWorse(verdict) == worse)
  }

  @Test func aFewSlowRequestsAreSeenInThePercentile() {
    var new = figures(970)
    // Too few and too short to move the mean beyond its limit.
    for _ in 0..<30 { new.add(status: 200, nanoseconds: 10_000_000) }
    guard case .worse(let reason) = rule.judge(new: new, old: figures(1000), isOver: true) else {
      return #expect(Bool(false))
    }
    #expect(reason.contains("30 of its 1000 requests"))
    var few = figures(996)
    for _ in 0..<4 { few.add(status: 200, nanoseconds: 10_000_000) }
    #expect(rule.judge(new: few, old: figures(1000), isOver: true) == .good)
  }

  // MARK: Each limit decides

  /// The verdict at the end of the window by a rule with one limit changed.
  private func isWorse(
    _ new: CanaryFigures, _ old: CanaryFigures, isOver: Bool = true, _ change: (inout CanaryRule) -> Void
  ) -> Bool {
    var rule = rule
    change(&rule)
    return isWorse(rule.judge(new: new, old: old, isOver: isOver))
  }

  /// 4 in 100 against none: the difference less 1.645 standard errors (early 3) is 2.95 in 100 (early 2.09).
  @Test(arguments: [(0.0, true), (0.029, true), (0.030, false), (0.5, false)])
  func theErrorMarginDecides(margin: Double, worse: Bool) {
    let (new, old) = (figures(1000, errors: 40), figures(1000))
    #expect(isWorse(new, old) { $0.maxErrorMargin = margin } == worse)
  }

  @Test(arguments: [(0.0, true), (0.0205, true), (0.0215, false)])
  func theErrorMarginDecidesEarly(margin: Double, worse: Bool) {
    let (new, old) = (figures(1000, errors: 40), figures(1000))
    #expect(isWorse(new, old, isOver: false) { $0.maxErrorMargin = margin } == worse)
  }

  /// 20 ms against 10 ms, 1 ms of it slack: 1.9 times less the standard errors is 1.88.
  @Test(arguments: [(1.0, true), (1.87, true), (1.89, false), (3.0, false)])
  func theRatioOfMeansDecides(ratio: Double, worse: Bool) {
    let (new, old) = (figures(500, milliseconds: 20), figures(500, milliseconds: 10))
    #expect(isWorse(new, old) { $0.maxMeanRatio = ratio } == worse)
  }

  /// Three in a hundred take 9.216 ms at least, by their bucket; the old 99th percentile is 1.152 ms, by its own.
  private var slowTail: CanaryFigures {
    var new = figures(970)
    for _ in 0..<30 { new.add(status: 200, nanoseconds: 10_000_000) }
    return new
  }

  @Test(arguments: [(1.0, true), (7.1, true), (7.2, false), (20.0, false)])
  func theRatioOfPercentilesDecides(ratio: Double, worse: Bool) {
    #expect(isWorse(slowTail, figures(1000)) { $0.maxP99Ratio = ratio } == worse)
  }

  @Test(arguments: [(0.0, true), (6.9, true), (7.0, false), (100.0, false)])
  func theSlackDecidesOfPercentiles(slack: Double, worse: Bool) {
    #expect(isWorse(slowTail, figures(1000)) { $0.slackMilliseconds = slack } == worse)
  }

  @Test(arguments: [(0.0, true), (4.8, true), (4.83, false), (100.0, false)])
  func theSlackDecidesOfMeans(slack: Double, worse: Bool) {
    let (new, old) = (figures(500, milliseconds: 20), figures(500, milliseconds: 10))
    #expect(isWorse(new, old) { $0.slackMilliseconds = slack } == worse)
  }

  @Test func microsecondsAreNoise() {
    #expect(
      rule.judge(
        new: figures(5000, milliseconds: 0.3), old: figures(5000, milliseconds: 0.01), isOver: true) == .good)
  }

  @Test func bucketsHoldWhatTheyAreNamedFor() {
    for microseconds in [0, 1, 7, 8, 15, 16, 17, 31, 32, 100, 1000, 65_535, 65_536, 4_294_967_295] {
      var one = CanaryFigures()
      for _ in 0..<100 { one.add(status: 200, nanoseconds: Int64(microseconds) * 1000) }
      let milliseconds = Double(microseconds) / 1000
      #expect(one.p99Milliseconds > milliseconds && one.p99Milliseconds <= milliseconds * 1.125 + 0.001)
    }
    #expect(CanaryFigures.bucket(of: .max) == CanaryFigures.bucketCount - 1)
    #expect(CanaryFigures.bucket(of: -1) == 0)
  }

  private func isWorse(_ verdict: CanaryRule.Verdict) -> Bool {
    if case .worse = verdict { true } else { false }
  }
}

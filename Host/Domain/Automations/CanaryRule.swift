package import Kernel

/// Which requests a canary takes, for how long, and what makes it worse than the generation it would replace.
package struct CanaryRule: Sendable, Equatable {
  /// What decides which generation a caller meets.
  package enum Share: String, Sendable, CaseIterable {
    /// The caller's key, or the address of one without: the same caller meets one generation all the time.
    case key
    /// Chance, anew for each request: for an automation with few callers.
    case request
  }

  /// What becomes of a canary that too few requests came to.
  package enum Outcome: String, Sendable, CaseIterable { case rollback, promote }

  /// Of the requests, 0 to 99; 0 takes those with the header alone.
  package var percent = 10
  package var share = Share.key
  /// Lower case; a request with this header goes to the canary, whatever its value. nil: no header does that.
  package var header: String?
  package var seconds = 60
  /// On each side; below, nothing is decided.
  package var minRequests = 50
  /// How much more of its requests than the old one's may end with a status of 500 or more: 0.01 is one in a hundred.
  package var maxErrorMargin = 0.01
  /// How many times the old one's mean duration, and its 99th percentile, are still good.
  package var maxMeanRatio = 1.5
  package var maxP99Ratio = 2.0
  /// Added to both limits: a ratio of microseconds is noise.
  package var slackMilliseconds = 1.0
  package var whenTooFew = Outcome.rollback

  package init() {}

  /// How sure a verdict is, in standard errors: while the window runs it is looked at over and over, so only what is
  /// beyond doubt (1 in 740 by chance) ends it; at the end 1 in 20.
  static let earlyErrors = 3.0
  static let finalErrors = 1.645

  package enum Verdict: Sendable, Equatable {
    case undecided
    case good
    /// The reason, with the figures.
    case worse(String)
    case tooFew(String)
  }

  /// Judges the canary by what both sides did so far.
  package func judge(new: CanaryFigures, old: CanaryFigures, isOver: Bool) -> Verdict {
    guard new.requests >= minRequests, old.requests >= minRequests else {
      guard isOver else { return .undecided }
      return .tooFew(
        "the new generation answered \(new.requests) request(s) and the old one \(old.requests) in \(seconds) s; "
          + "\(minRequests) on each side are needed")
    }
    let errors = isOver ? CanaryRule.finalErrors : CanaryRule.earlyErrors
    if let reason = worseErrors(new, old, errors) ?? worseMean(new, old, errors) ?? worseP99(new, old, errors)
    {
      return .worse(reason)
    }
    return isOver ? .good : .undecided
  }

  /// The difference of two proportions against its standard error, one failure and one success added to each side
  /// (Agresti and Caffo, 2000), so that a side without failures has an error too.
  private func worseErrors(_ new: CanaryFigures, _ old: CanaryFigures, _ errors: Double) -> String? {
    func proportion(_ side: CanaryFigures) -> (p: Double, variance: Double) {
      let n = Double(side.requests) + 2
      let p = (Double(side.errors) + 1) / n
      return (p, p * (1 - p) / n)
    }
    let (a, b) = (proportion(new), proportion(old))
    let excess = a.p - b.p - maxErrorMargin
    guard new.errorRatio > old.errorRatio + maxErrorMargin,
      excess > errors * (a.variance + b.variance).squareRoot()
    else { return nil }
    return "\(percentage(new.errorRatio)) of its answers had a status of 500 or more, the old one's "
      + "\(percentage(old.errorRatio)); \(percentage(maxErrorMargin)) more is the limit"
  }

  /// The difference of two means against its standard error (Welch), the old one's scaled by the ratio.
  private func worseMean(_ new: CanaryFigures, _ old: CanaryFigures, _ errors: Double) -> String? {
    let limit = old.meanMilliseconds * maxMeanRatio + slackMilliseconds
    let error = (new.meanVariance + old.meanVariance * maxMeanRatio * maxMeanRatio).squareRoot()
    guard new.meanMilliseconds - limit > errors * error else { return nil }
    return
      "its mean duration is \(milliseconds(new.meanMilliseconds)), the old one's "
      + "\(milliseconds(old.meanMilliseconds)); \(milliseconds(limit)) is the limit"
  }

  /// How many of the new side's requests took longer than the limit, against the one in a hundred that may.
  private func worseP99(_ new: CanaryFigures, _ old: CanaryFigures, _ errors: Double) -> String? {
    let limit = old.p99Milliseconds * maxP99Ratio + slackMilliseconds
    let slow = new.count(above: limit)
    let n = Double(new.requests)
    // Five at least: the normal approximation says nothing of fewer.
    guard slow >= 5, Double(slow) / n - 0.01 > errors * (0.01 * 0.99 / n).squareRoot() else { return nil }
    return "\(slow) of its \(new.requests) requests took longer than \(milliseconds(limit)), "
      + "the limit by the old one's 99th percentile of \(milliseconds(old.p99Milliseconds))"
  }

  private func percentage(_ ratio: Double) -> String { "\((ratio * 10_000).rounded() / 100) %" }
  private func milliseconds(_ number: Double) -> String { "\((number * 1000).rounded() / 1000) ms" }
}

/// What one side of a canary did: how many requests, how they ended, how long they took.
package struct CanaryFigures: Sendable, Equatable {
  package var requests = 0
  /// With a status of 500 or more.
  package var errors = 0
  package var sumMilliseconds = 0.0
  package var sumOfSquares = 0.0
  /// Requests by ``bucket(of:)``.
  package var buckets = [Int](repeating: 0, count: CanaryFigures.bucketCount)

  package init() {}

  package mutating func add(status: Int, nanoseconds: Int64) {
    let duration = Double(nanoseconds) / 1_000_000
    requests += 1
    if status >= 500 { errors += 1 }
    sumMilliseconds += duration
    sumOfSquares += duration * duration
    buckets[CanaryFigures.bucket(of: nanoseconds)] += 1
  }

  package var errorRatio: Double { requests == 0 ? 0 : Double(errors) / Double(requests) }
  package var meanMilliseconds: Double { requests == 0 ? 0 : sumMilliseconds / Double(requests) }

  /// Of the mean, in square milliseconds.
  var meanVariance: Double {
    guard requests > 1 else { return 0 }
    let n = Double(requests)
    return max(0, (sumOfSquares - sumMilliseconds * sumMilliseconds / n) / (n - 1)) / n
  }

  /// The upper bound of the bucket in which the 99th percentile lies: up to an eighth too long.
  package var p99Milliseconds: Double {
    var left = (requests * 99 + 99) / 100
    guard left > 0 else { return 0 }
    for (index, count) in buckets.enumerated() {
      left -= count
      if left <= 0 { return Double(CanaryFigures.start(of: index + 1)) / 1000 }
    }
    return 0
  }

  /// Requests that certainly took longer.
  func count(above milliseconds: Double) -> Int {
    var count = 0
    for (index, number) in buckets.enumerated()
    where Double(CanaryFigures.start(of: index)) / 1000 >= milliseconds { count += number }
    return count
  }

  // MARK: Buckets

  /// Eight to each power of two of microseconds, up to an hour.
  package static let bucketCount = 240

  package static func bucket(of nanoseconds: Int64) -> Int {
    let microseconds = UInt64(max(0, min(nanoseconds / 1000, (1 << 32) - 1)))
    if microseconds < 8 { return Int(microseconds) }
    let shift = 60 - microseconds.leadingZeroBitCount
    return shift * 8 + Int(microseconds >> UInt64(shift))
  }

  /// The least microseconds of a bucket.
  static func start(of bucket: Int) -> UInt64 {
    if bucket < 16 { return UInt64(bucket) }
    return UInt64(bucket % 8 + 8) << UInt64(bucket / 8 - 1)
  }

  package var json: JSONValue {
    [
      "requests": .integer(Int64(requests)), "errors": .integer(Int64(errors)),
      "error_ratio": .number((errorRatio * 1_000_000).rounded() / 1_000_000),
      "mean_ms": .number((meanMilliseconds * 1000).rounded() / 1000),
      "p99_ms": .number((p99Milliseconds * 1000).rounded() / 1000),
    ]
  }
}

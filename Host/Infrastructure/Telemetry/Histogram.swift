import Kernel

/// The buckets of a duration histogram, as OpenTelemetry advises for `http.server.request.duration`.
enum DurationBuckets {
  static let seconds: [Double] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
  ]

  /// Words of one histogram: a count per bucket, one above all bounds, and the sum in nanoseconds.
  static let words = 16
  static let sum = 15

  /// The first bucket whose bound is not below the duration.
  @inline(__always)
  static func index(_ nanoseconds: Int64) -> Int {
    // Most requests end here; the comparison with the other bounds is for the few.
    if nanoseconds <= 5_000_000 { return 0 }
    return beyondFirst(nanoseconds)
  }

  private static func beyondFirst(_ nanoseconds: Int64) -> Int {
    for (index, bound) in seconds.enumerated() where nanoseconds <= Int64(bound * 1_000_000_000) {
      return index
    }
    return seconds.count
  }
}

/// One histogram's figures, taken together from all threads.
struct Histogram {
  var words = [UInt64](repeating: 0, count: DurationBuckets.words)

  mutating func record(_ nanoseconds: Int64) {
    words[DurationBuckets.index(nanoseconds)] += 1
    words[DurationBuckets.sum] += UInt64(max(0, nanoseconds))
  }

  mutating func add(_ other: AtomicWords, at first: Int) {
    for index in 0..<DurationBuckets.words { words[index] &+= other.load(first + index) }
  }

  var isEmpty: Bool { words[..<DurationBuckets.sum].allSatisfy { $0 == 0 } }

  /// `labels` are rendered ones, without braces; may be empty.
  func expose(_ name: StaticString, _ labels: [UInt8], to text: Arena) {
    var total: UInt64 = 0
    for bucket in 0...DurationBuckets.seconds.count {
      total &+= words[bucket]
      text.append(name)
      text.append("_bucket{")
      text.append(labels)
      if !labels.isEmpty { text.append(",") }
      text.append("le=\"")
      text.append(bucket < DurationBuckets.seconds.count ? "\(DurationBuckets.seconds[bucket])" : "+Inf")
      text.append("\"} ")
      text.append("\(total)\n")
    }
    for (suffix, value) in [
      ("_sum", "\(Double(words[DurationBuckets.sum]) / 1_000_000_000)"), ("_count", "\(total)"),
    ] {
      text.append(name)
      text.append(suffix)
      if !labels.isEmpty {
        text.append("{")
        text.append(labels)
        text.append("}")
      }
      text.append(" \(value)\n")
    }
  }
}

/// `name="value"`, joined by commas, with the escapes of the text exposition format.
func exposedLabels(_ labels: [(name: String, value: String)]) -> [UInt8] {
  var text: [UInt8] = []
  for (index, label) in labels.enumerated() {
    if index > 0 { text.append(UInt8(ascii: ",")) }
    text += label.name.utf8
    text += "=\"".utf8
    for byte in label.value.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): text += "\\\\".utf8
      case UInt8(ascii: "\""): text += "\\\"".utf8
      case 0x0A: text += "\\n".utf8
      default: text.append(byte)
      }
    }
    text.append(UInt8(ascii: "\""))
  }
  return text
}

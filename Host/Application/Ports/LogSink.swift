package import Kernel

package enum LogLevel: Int, Sendable, Comparable, CaseIterable {
  case debug, info, warning, error, critical

  package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }

  package var name: String { String(describing: self) }

  package init?(name: String) {
    guard let level = LogLevel.allCases.first(where: { $0.name == name }) else { return nil }
    self = level
  }
}

/// Where log lines go: one JSON object a line. Never blocks; what does not fit is counted and dropped.
package protocol LogSink: AnyObject, Sendable {
  /// The least level that is written; may change at any time.
  var level: LogLevel { get set }

  /// `fields` come beside timestamp, level, module and message. Never pass a secret.
  func write(_ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue])
}

extension LogSink {
  /// Builds the message only when its level is written.
  package func log(
    _ level: LogLevel, _ module: StaticString, _ message: @autoclosure () -> String,
    _ fields: @autoclosure () -> [String: JSONValue] = [:]
  ) {
    if level >= self.level { write(level, module, message(), fields()) }
  }
}

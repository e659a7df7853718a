import Application
import Kernel

/// A line of log in shared memory: level, counts of text and fields, then both; the fields are JSON.
struct RunnerLine {
  var level: LogLevel
  var text: String
  var fields: [String: JSONValue]

  private static let prefixBytes = 12
  private static let maxText = 8 * 1024
  private static let maxFields = BoardLayout.lineBytes - maxText - prefixBytes

  static func write(
    _ level: LogLevel, _ text: String, _ fields: [String: JSONValue], to board: SharedBoard, at offset: Int
  ) {
    var json = RunnerWire.json(.object(fields))
    if json.count > maxFields { json = Array("{}".utf8) }
    let bytes = Array(text.utf8.prefix(maxText))
    var cursor = offset
    board.write32(UInt32(level.rawValue), at: &cursor)
    board.write32(UInt32(bytes.count), at: &cursor)
    board.write32(UInt32(json.count), at: &cursor)
    board.write(bytes.span, at: &cursor)
    board.write(json.span, at: &cursor)
  }

  /// nil for what is no line.
  static func read(_ board: SharedBoard, _ offset: Int) -> RunnerLine? {
    let copy = Arena(capacity: BoardLayout.lineBytes)
    _ = board.copy(offset, BoardLayout.lineBytes, to: copy)
    let (textCount, fieldsCount) = (Int(word(copy, 4)), Int(word(copy, 8)))
    guard let level = LogLevel(rawValue: Int(word(copy, 0))), textCount <= maxText, fieldsCount <= maxFields
    else { return nil }
    let text = ByteRange(offset: prefixBytes, count: textCount)
    let fields = ByteRange(offset: text.end, count: fieldsCount)
    return RunnerLine(
      level: level, text: String(copy.span(text)),
      fields: RunnerWire.document(Array(copy.span(fields)))?.object ?? [:])
  }
}

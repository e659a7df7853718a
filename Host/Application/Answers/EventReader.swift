/// Reads events (WHATWG HTML, section 9.2.6) out of pieces of a stream that end anywhere.
package struct EventReader {
  package struct Event: Sendable {
    /// Empty where the event has none of its own.
    package fileprivate(set) var name: [UInt8] = []
    package fileprivate(set) var id: [UInt8] = []
    /// Its lines of data, with a line feed between two.
    package fileprivate(set) var data: [UInt8] = []
    fileprivate var hasData = false
  }

  private let maxBytes: Int
  private var line: [UInt8] = []
  private var event = Event()
  private var isAfterReturn = false

  /// What a line may have beside its text: the name of its field.
  private static let fieldBytes = 16

  /// Of the text of a line, and of the data of an event, one byte more than `maxBytes` is kept: who reads it sees that it is
  /// too long.
  package init(maxBytes: Int) { self.maxBytes = min(maxBytes, 1 << 40) }

  /// Calls `body` with each event that is complete by now. Those without data are none.
  package mutating func read(_ bytes: Span<UInt8>, _ body: (Event) -> Void) {
    for index in bytes.indices {
      let byte = bytes[index]
      defer { isAfterReturn = byte == UInt8(ascii: "\r") }
      if byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") {
        if byte == UInt8(ascii: "\r") || !isAfterReturn { endLine(body) }
      } else if line.count <= maxBytes + EventReader.fieldBytes {
        line.append(byte)
      }
    }
  }

  /// A line, or the data of an event that has not ended, is longer than what is kept of it.
  package var isTooLong: Bool {
    line.count > maxBytes + EventReader.fieldBytes || event.data.count > maxBytes
  }

  /// The stream has ended: an event whose empty line is missing counts.
  package mutating func end(_ body: (Event) -> Void) {
    if !line.isEmpty { endLine(body) }
    endEvent(body)
  }

  private mutating func endLine(_ body: (Event) -> Void) {
    defer { line.removeAll(keepingCapacity: true) }
    if line.isEmpty { return endEvent(body) }
    let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
    var value = line[min(colon + 1, line.endIndex)...]
    if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
    let name = line[..<colon]
    if name.elementsEqual("data".utf8) {
      if event.hasData, event.data.count <= maxBytes { event.data.append(UInt8(ascii: "\n")) }
      event.hasData = true
      event.data += value.prefix(max(0, maxBytes + 1 - event.data.count))
    } else if name.elementsEqual("event".utf8) {
      event.name = Array(value)
    } else if name.elementsEqual("id".utf8) {
      event.id = Array(value)
    }
  }

  private mutating func endEvent(_ body: (Event) -> Void) {
    if event.hasData { body(event) }
    event = Event()
  }
}

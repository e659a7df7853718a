import Application
import Domain
import Kernel

/// Frames: rows as event threads hand them over, in a form that costs them little.
enum Frames {
  /// Bounds of what a row keeps, in bytes; a longer path is cut and marked.
  static let maxPath = 1024
  static let maxText = 255
  static let maxLabels = 4096
  /// An id that is longer is none of a job.
  static let maxJob = 64

  /// Writes a request's frame over what `scratch` holds. [event]
  static func encode(_ row: RequestAudit, of exchange: Exchange, to scratch: Arena) {
    var head = FrameHead()
    head.status = UInt16(truncatingIfNeeded: row.status)
    head.method = exchange.methodIsUnknown ? 7 : index(of: exchange.method)
    head.time = row.time.microseconds
    head.duration = Int64(row.durationMicroseconds)
    (head.peerHigh, head.peerLow) = exchange.peer
    if let key = row.key { head.key = key.words }
    let path = cut(exchange.rawPath, to: maxPath)
    let requestID = cut(exchange.requestID, to: maxText)
    let principal = cut(exchange.principal, to: maxText)
    head.pathCount = UInt16(path.count)
    head.isPathCut = path.count < exchange.rawPath.count
    head.requestIDCount = UInt8(requestID.count)
    head.principalCount = UInt8(principal.count)
    let labelsCount = min(row.labels?.json.count ?? 0, maxLabels + 1)
    // Labels are JSON, which cannot be cut.
    if labelsCount <= maxLabels { head.labelsCount = UInt16(labelsCount) }
    head.isDryRun = row.isDryRun
    head.isReplayed = row.isReplayed
    if let job = row.job, job.utf8.count <= maxJob { head.jobCount = UInt8(job.utf8.count) }
    if let end = row.jobEnd, let index = FrameHead.jobEnds.firstIndex(of: end) {
      head.jobEnd = UInt8(index + 1)
    }
    head.count = UInt32(FrameHead.byteCount)
    head.count += path.count + requestID.count + principal.count + UInt32(head.labelsCount)
    head.count += UInt32(head.jobCount)
    scratch.removeAll()
    head.append(to: scratch)
    let source = exchange.head
    scratch.append(source.span(path))
    scratch.append(source.span(requestID))
    scratch.append(source.span(principal))
    if head.labelsCount > 0, let json = row.labels?.json { scratch.append(json.span) }
    if head.jobCount > 0, let job = row.job { scratch.append(job) }
  }

  /// Writes the frame of an act of administration.
  static func encode(_ act: AdminAct, to scratch: Arena) {
    var head = FrameHead()
    head.kind = .act
    head.time = act.time.microseconds
    scratch.removeAll()
    head.append(to: scratch)
    for (name, value) in [
      ("action", act.action), ("target", act.target), ("key", act.key), ("principal", act.principal),
      ("request_id", act.requestID),
    ] where !value.isEmpty {
      scratch.append(",\"")
      scratch.append(name)
      scratch.append("\":")
      scratch.append(jsonString: String(value.prefix(maxPath)).utf8.span)
    }
    scratch.append(",\"status\":")
    scratch.append(decimal: act.status)
    if !act.details.isEmpty { appendDetails(act.details, to: scratch) }
    let count = UInt32(scratch.count)
    for byte in 0..<4 { scratch[byte] = UInt8(truncatingIfNeeded: count >> UInt32(8 * byte)) }
  }

  private static func appendDetails(_ details: [String: JSONValue], to scratch: Arena) {
    scratch.append(",\"details\":")
    let before = scratch.count
    scratch.append(json: .object(details))
    guard scratch.count - before > 16 << 10 else { return }
    scratch.truncate(to: before)
    scratch.append("{\"truncated\":true}")
  }

  private static func cut(_ range: ByteRange, to count: Int) -> ByteRange {
    ByteRange(offset: range.start, count: min(Int(range.count), count))
  }

  private static func index(of method: HTTPMethod) -> UInt8 {
    switch method {
    case .get: 0
    case .head: 1
    case .post: 2
    case .put: 3
    case .patch: 4
    case .delete: 5
    case .options: 6
    }
  }
}

/// Rows as lines of JSON. [flusher]
struct RowWriter {
  private var clock = TimeText()

  /// Appends the members of a row, `{"seq":…` to the last but the hash.
  mutating func append(_ frame: Span<UInt8>, seq: Int64, to line: Arena) {
    let head = FrameHead(frame)
    line.append("{\"seq\":")
    line.append(decimal: Int(seq))
    line.append(",\"time\":\"")
    clock.append(head.time, to: line)
    line.append("\"")
    switch head.kind {
    case .act: line.append(frame.extracting(FrameHead.byteCount..<Int(head.count)))
    case .request: appendRequest(head, frame, to: line)
    }
  }

  private func appendRequest(_ head: FrameHead, _ frame: Span<UInt8>, to line: Arena) {
    var place = FrameHead.byteCount
    let path = frame.extracting(place..<place + Int(head.pathCount))
    place += path.count
    let requestID = frame.extracting(place..<place + Int(head.requestIDCount))
    place += requestID.count
    let principal = frame.extracting(place..<place + Int(head.principalCount))
    place += principal.count
    let labels = frame.extracting(place..<place + Int(head.labelsCount))
    place += labels.count
    let job = frame.extracting(place..<place + Int(head.jobCount))
    line.append(",\"duration_us\":")
    line.append(decimal: Int(head.duration))
    line.append(",\"method\":\"")
    line.append(FrameHead.methods[Int(head.method)])
    line.append("\",\"path\":")
    appendPath(path, to: line)
    if head.isPathCut { line.append(",\"path_cut\":true") }
    line.append(",\"status\":")
    line.append(decimal: Int(head.status))
    if labels.count > 0 {
      line.append(",")
      line.append(labels)
    }
    if head.isDryRun { line.append(",\"dry_run\":true") }
    if head.isReplayed { line.append(",\"replayed\":true") }
    if job.count > 0 {
      line.append(",\"job\":")
      appendText(job, to: line)
    }
    if head.jobEnd > 0 {
      line.append(",\"job_end\":\"")
      line.append(FrameHead.jobEnds[Int(head.jobEnd) - 1].rawValue)
      line.append("\"")
    }
    if head.key.0 != 0 {
      line.append(",\"key\":\"")
      for index in 0..<8 { line.append(UInt8(truncatingIfNeeded: head.key.0 >> UInt64(8 * index))) }
      for index in 0..<4 { line.append(UInt8(truncatingIfNeeded: head.key.1 >> UInt32(8 * index))) }
      line.append("\"")
    }
    if principal.count > 0 {
      line.append(",\"principal\":")
      appendText(principal, to: line)
    }
    line.append(",\"peer\":\"")
    PeerText.append((head.peerHigh, head.peerLow), to: line)
    line.append("\"")
    if requestID.count > 0 {
      line.append(",\"request_id\":")
      appendText(requestID, to: line)
    }
  }

  /// A path as it came. Bytes that are not ASCII have no business in one; they are written in percent form.
  private func appendPath(_ path: Span<UInt8>, to line: Arena) {
    if RowWriter.isPlain(path) {
      line.append("\"")
      line.append(path)
      line.append("\"")
      return
    }
    var escaped: [UInt8] = []
    for index in path.indices {
      if path[index] < 0x80 {
        escaped.append(path[index])
      } else {
        escaped += Array("%\(Hex.encode([path[index]]).uppercased())".utf8)
      }
    }
    line.append(jsonString: escaped.span)
  }

  /// Text that ought to be UTF-8; where it is not, replaced as Unicode says.
  private func appendText(_ text: Span<UInt8>, to line: Arena) {
    if RowWriter.isPlain(text) {
      line.append("\"")
      line.append(text)
      line.append("\"")
    } else {
      line.append(jsonString: String(text).utf8.span)
    }
  }

  /// Printable ASCII that JSON takes as it is.
  private static func isPlain(_ text: Span<UInt8>) -> Bool {
    for index in text.indices {
      let byte = text[index]
      if byte < 0x20 || byte > 0x7E || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        return false
      }
    }
    return true
  }
}

/// Writes times as ``Timestamp/text`` does; the part down to the second is kept for the rows that follow.
struct TimeText {
  private var second = Int64.min
  private var prefix: [UInt8] = []

  mutating func append(_ microseconds: Int64, to line: Arena) {
    let ofSecond = ((microseconds % 1_000_000) + 1_000_000) % 1_000_000
    let whole = microseconds - ofSecond
    if whole != second {
      second = whole
      prefix = Array(Timestamp(microseconds: whole).text.utf8.prefix(20))
    }
    line.append(prefix.span)
    let milliseconds = ofSecond / 1000
    line.append(UInt8(ascii: "0") + UInt8(milliseconds / 100))
    line.append(UInt8(ascii: "0") + UInt8(milliseconds / 10 % 10))
    line.append(UInt8(ascii: "0") + UInt8(milliseconds % 10))
    line.append(UInt8(ascii: "Z"))
  }
}

/// Addresses as people write them (RFC 5952, without the shortening of zeros).
enum PeerText {
  static func append(_ peer: (UInt64, UInt64), to line: Arena) {
    if peer.0 == 0 && peer.1 >> 32 == 0xFFFF {
      for part in (0..<4).reversed() {
        line.append(decimal: Int(peer.1 >> UInt64(8 * part) & 255))
        if part > 0 { line.append(".") }
      }
      return
    }
    for part in 0..<8 {
      let word = part < 4 ? peer.0 : peer.1
      let group = word >> UInt64(48 - 16 * (part % 4)) & 0xFFFF
      line.append(String(group, radix: 16))
      if part < 7 { line.append(":") }
    }
  }
}

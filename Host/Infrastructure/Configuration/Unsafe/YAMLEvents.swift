import CYAML

/// libyaml's parser, one event at a time.
@safe
final class YAMLEvents {
  struct Event {
    enum Kind {
      case scalar(String, isPlain: Bool)
      case sequenceStart, mappingStart
      /// Of a sequence or a mapping.
      case close
      /// Of the stream.
      case end
    }
    var kind: Kind
    var line: Int
  }

  private let parser: UnsafeMutablePointer<yaml_parser_t>
  // The parser reads these bytes as long as it lives.
  private let input: UnsafeMutablePointer<UInt8>
  private let count: Int

  init(_ bytes: [UInt8]) throws(YAMLFault) {
    unsafe parser = .allocate(capacity: 1)
    unsafe parser.initialize(to: yaml_parser_t())
    count = bytes.count
    unsafe input = .allocate(capacity: max(bytes.count, 1))
    for (index, byte) in bytes.enumerated() { unsafe input[index] = byte }
    // Safe: initialised before use, deleted once in deinit; a failed initialise leaves it empty.
    guard unsafe yaml_parser_initialize(parser) == 1 else {
      throw YAMLFault(line: 0, reason: "out of memory")
    }
    unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    unsafe yaml_parser_set_input_string(parser, input, bytes.count)
  }

  deinit {
    unsafe yaml_parser_delete(parser)
    unsafe parser.deallocate()
    unsafe input.deallocate()
  }

  /// The next event that carries content. After `.end`, do not ask again.
  func next() throws(YAMLFault) -> Event {
    while true {
      var event = unsafe yaml_event_t()
      guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw failure() }
      // Safe: a parsed event is deleted once; texts are copied before.
      defer { unsafe yaml_event_delete(&event) }
      let line = unsafe Int(event.start_mark.line) + 1
      switch unsafe event.type {
      case YAML_STREAM_END_EVENT: return Event(kind: .end, line: line)
      case YAML_SEQUENCE_START_EVENT:
        unsafe try refuse(event.data.sequence_start.anchor, event.data.sequence_start.tag, line)
        return Event(kind: .sequenceStart, line: line)
      case YAML_MAPPING_START_EVENT:
        unsafe try refuse(event.data.mapping_start.anchor, event.data.mapping_start.tag, line)
        return Event(kind: .mappingStart, line: line)
      case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return Event(kind: .close, line: line)
      case YAML_ALIAS_EVENT: throw YAMLFault(line: line, reason: "aliases are not taken")
      case YAML_SCALAR_EVENT:
        let scalar = unsafe event.data.scalar
        unsafe try refuse(scalar.anchor, scalar.tag, line)
        // Safe: libyaml says how long the text is.
        let text = unsafe String(
          decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
        return Event(
          kind: .scalar(text, isPlain: unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE), line: line)
      default: continue
      }
    }
  }

  private func refuse(
    _ anchor: UnsafeMutablePointer<UInt8>?, _ tag: UnsafeMutablePointer<UInt8>?, _ line: Int
  ) throws(YAMLFault) {
    if unsafe anchor != nil || tag != nil {
      throw YAMLFault(line: line, reason: "anchors and tags are not taken")
    }
  }

  private func failure() -> YAMLFault {
    // Safe: the text is the library's own and constant.
    let reason = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "not YAML"
    var line = unsafe Int(parser.pointee.problem_mark.line) + 1
    if unsafe parser.pointee.error == YAML_READER_ERROR {
      // Bytes that are no text are found before there are lines: the error has a place in the input instead.
      let end = unsafe min(parser.pointee.problem_offset, count)
      // Safe: `count` bytes are in the input.
      line = unsafe UnsafeBufferPointer(start: input, count: end).count { $0 == 0x0A } + 1
    }
    return YAMLFault(line: line, reason: reason)
  }
}

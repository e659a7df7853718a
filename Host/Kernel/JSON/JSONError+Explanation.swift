extension JSONError {
  /// What a caller can do about it.
  package var explanation: String {
    switch self {
    case .empty: "it is empty."
    case .syntax: "its syntax is wrong."
    case .invalidUTF8: "it is not UTF-8."
    case .tooDeep: "it is more than \(JSONDocument.defaultMaxDepth) levels deep."
    case .numberOutOfRange: "a number is malformed or out of range."
    case .badString: "a string is malformed or has a raw control character."
    case .tooLarge: "it is too large."
    case .outOfMemory: "there is no memory for it."
    }
  }
}

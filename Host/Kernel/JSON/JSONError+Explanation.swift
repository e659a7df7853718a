extension JSONError {
  /// What a caller can do about it.
  package var explanation: String {
    switch self {
    case .empty: "it is empty."
    case .syntax: "its syntax is wrong."
    case .invalidUTF8: "it is not UTF-8."
    case .tooDeep: "it is more than \(JSONDocument.defaultMaxDepth) levels deep."
    case .numberOutOfRange:
      "a number is malformed, or out of range: integers go from -9223372036854775808 to 18446744073709551615, "
        + "others to ±1.7976931348623157e308."
    case .badString: "a string is malformed or has a raw control character."
    case .tooLarge: "it is too large."
    case .outOfMemory: "there is no memory for it."
    }
  }
}

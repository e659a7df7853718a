import Kernel

/// A problem (RFC 9457) as a model reads it: what happened, what is wrong where, when to try again.
enum ProblemText {
  static let maxErrors = 50

  /// nil for JSON that is no problem.
  static func text(_ problem: JSONValue, status: Int) -> String? {
    guard var members = problem.object, let detail = members["detail"]?.string ?? members["title"]?.string
    else {
      return nil
    }
    let code = members["code"]?.string
    var text = code.map { "Error \(status) \($0): \(detail)" } ?? "Error \(status): \(detail)"
    for name in ["type", "title", "status", "detail", "code"] { members[name] = nil }
    if let errors = members["errors"]?.array, errors.allSatisfy({ line(of: $0) != nil }) {
      members["errors"] = nil
      for error in errors.prefix(maxErrors) { text += "\n- \(line(of: error) ?? "")" }
      if errors.count > maxErrors { text += "\n- and \(errors.count - maxErrors) more" }
    }
    if let seconds = members["retry_after_s"]?.integer {
      members["retry_after_s"] = nil
      text += "\nTry again after \(seconds) s."
    }
    if !members.isEmpty { text += "\n" + JSON.text(JSONValue.object(members)) }
    return text
  }

  /// `/email: must be a string`
  private static func line(of error: JSONValue) -> String? {
    guard let message = error["message"]?.string ?? error["reason"]?.string else { return nil }
    let pointer = error["pointer"]?.string ?? ""
    return "\(pointer.isEmpty ? "/" : pointer): \(message)"
  }
}

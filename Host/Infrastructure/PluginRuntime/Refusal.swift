import Kernel

/// The steps of a generation's life that this target takes; a refusal names its own in the member `step`.
enum Step: String {
  case validate, probe, load, start, drain, stop, seal, sign
}

/// A refusal of a plugin: 422 with a code below `plugin.` and the step that refused.
func refusal(
  _ step: Step, _ code: String, _ detail: String, _ members: [String: JSONValue] = [:], status: Int = 422
) -> Problem {
  var all = members
  all["step"] = .string(step.rawValue)
  return Problem(status, "plugin.\(code)", detail, members: all)
}

extension Problem {
  /// The same refusal at another step: a check that two steps make.
  func at(_ step: Step) -> Problem {
    var copy = self
    copy.members["step"] = .string(step.rawValue)
    return copy
  }
}

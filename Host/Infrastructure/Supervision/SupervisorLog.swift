import Kernel

/// The supervisor's own lines, in the form of the host's log. It has no thread that would write for it: a line that
/// cannot be written at once is dropped.
struct SupervisorLog {
  func write(_ level: String, _ message: String, _ fields: [String: JSONValue] = [:]) {
    var line = fields
    line["timestamp"] = .string(Timestamp.now.text)
    line["level"] = .string(level)
    line["module"] = "supervisor"
    line["message"] = .string(message)
    SupervisorSystem.writeLine(JSON.text(JSONValue.object(line)) + "\n")
  }
}

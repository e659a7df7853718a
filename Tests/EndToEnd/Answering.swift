import Kernel
import Patience

/// Versions of a plugin that answers `{"version":…,"value":…}`, and what the tests of reloads ask a host.
enum Answering {
  static func plugin(
    _ id: String, _ version: Int, status: Int = 200, delay: Duration = .zero, value: String = "1",
    written: String? = nil, fixture: String = "versions"
  ) -> String {
    let defines = [
      #"-DID='"\#(id)"'"#, #"-DVERSION_TEXT='"\#(version)"'"#, "-DANSWER_STATUS=\(status)",
      #"-DANSWER_VALUE='"\#(value)"'"#,
      written.map { #"-DWRITE_VALUE='"\#($0)"'"# } ?? "",
      delay > .zero ? "-DANSWER_DELAY_US=\(delay.nanoseconds / 1000)" : "",
    ]
    return Fixtures.plugin(fixture, defines.joined(separator: " "))
  }

  static func body(_ version: Int) -> String { #"{"version":"\#(version)","value":1}"# }
}

extension HostUnderTest {
  func load(_ path: String) throws {
    let answer = try admin("POST", "/automations", body: #"{"path":"\#(path)"}"#)
    if answer.status >= 300 { throw Failure(answer.body) }
  }

  /// What `automations show` says.
  func shown(_ id: String) -> JSONValue { (try? admin("GET", "/automations/\(id)"))?.json ?? .null }

  /// Waits until the canary of an automation is over.
  func endedCanary(_ id: String) -> JSONValue {
    var canary = JSONValue.null
    _ = eventually {
      canary = shown(id)["canary"] ?? .null
      return canary["state"] != nil && canary["state"] != "running"
    }
    return canary
  }
}

import Application
import Discovery
import Functions
import Kernel

extension HostSettings {
  var functions: FunctionsPath.Facts {
    .init(
      anonymous: AnonymousView(rawValue: values.documents.anonymous) ?? .all,
      maxBytes: values.documents.maxBytes, patience: .milliseconds(values.documents.timeoutMilliseconds),
      maxBodyBytes: values.maxBodyBytes, jsonDepth: values.jsonDepth, jobAfter: jobAfter,
      streamTime: .milliseconds(values.jobAfterMilliseconds))
  }

  /// After what time a call becomes a job; nil: none does.
  var jobAfter: Duration? {
    values.maxJobs == 0 ? nil : .milliseconds(values.jobAfterMilliseconds)
  }

  var discovery: DiscoveryPath.Facts {
    .init(
      anonymous: AnonymousView(rawValue: values.documents.anonymous) ?? .all,
      serverURL: values.documents.serverURL, patience: .milliseconds(values.documents.timeoutMilliseconds))
  }
}

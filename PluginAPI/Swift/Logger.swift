/// Writes lines into the host's log. Never blocks; lines that find the host's queue full are counted and dropped.
public struct Logger: Sendable {
  let host: Host?
  let request: UInt64

  public func debug(_ text: String) { host?.log(request, 0, text) }
  public func info(_ text: String) { host?.log(request, 1, text) }
  public func warning(_ text: String) { host?.log(request, 2, text) }
  public func error(_ text: String) { host?.log(request, 3, text) }
  public func critical(_ text: String) { host?.log(request, 4, text) }
}

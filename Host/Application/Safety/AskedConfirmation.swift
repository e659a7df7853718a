import Kernel

extension IncomingAnswer {
  /// The token with which a call is confirmed that a host has answered so; nil where it asks for none.
  package var askedConfirmation: String? {
    guard status == 428, let problem = try? JSONValue.parse(body.span),
      problem["code"]?.string?.hasPrefix("confirmation.") == true
    else { return nil }
    return problem["confirm"]?.string
  }
}

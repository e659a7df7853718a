package import Kernel

// Crashes as they are kept in the control store, and told between the supervisor and its hosts. Hosts of different
// versions read each other's: members are added, never renamed.

extension CrashReport {
  package var stored: JSONValue {
    var json: [String: JSONValue] = [
      "id": .string(id), "time": ["microseconds": .integer(time.microseconds)], "cause": .string(cause),
      "suspects": .array(suspects.map(\.stored)), "frames": .array(frames.map(JSONValue.string)),
      "process_id": .integer(Int64(processID)), "uptime_ms": .integer(Int64(uptimeMilliseconds)),
    ]
    json["reason"] = reason.map(JSONValue.string)
    // A text: an address needs all of its 64 bits.
    json["address"] = address.map { .string(String($0, radix: 16)) }
    json["culprit"] = culprit?.stored
    json["basis"] = basis.map(JSONValue.string)
    return .object(json)
  }

  /// nil when it is none.
  package init?(stored json: JSONValue) {
    guard let id = json["id"]?.string, let time = json["time"]?["microseconds"]?.integer,
      let cause = json["cause"]?.string, let suspects = json["suspects"]?.array,
      let frames = json["frames"]?.array
    else { return nil }
    self.init(
      id: id, time: Timestamp(microseconds: time), cause: cause, reason: json["reason"]?.string,
      // Once a number.
      address: json["address"].flatMap {
        $0.string.flatMap { UInt64($0, radix: 16) } ?? $0.integer.flatMap(UInt64.init(exactly:))
      },
      culprit: json["culprit"].flatMap(CrashPlace.init(stored:)), basis: json["basis"]?.string,
      suspects: suspects.compactMap(CrashPlace.init(stored:)), frames: frames.compactMap(\.string),
      processID: Int(json["process_id"]?.integer ?? 0),
      uptimeMilliseconds: Int(json["uptime_ms"]?.integer ?? 0))
  }
}

extension CrashPlace {
  var stored: JSONValue {
    var json: [String: JSONValue] = [
      "automation": .string(automation), "generation": .integer(Int64(generation)), "sha256": .string(sha256),
      "call": .string(call),
    ]
    json["route"] = route.map(JSONValue.string)
    json["request_id"] = requestID.map(JSONValue.string)
    return .object(json)
  }

  init?(stored json: JSONValue) {
    guard let automation = json["automation"]?.string, let generation = json["generation"]?.integer,
      let sha256 = json["sha256"]?.string, let call = json["call"]?.string
    else { return nil }
    self.init(
      automation: automation, generation: Int(generation), sha256: sha256, call: call,
      route: json["route"]?.string, requestID: json["request_id"]?.string)
  }
}

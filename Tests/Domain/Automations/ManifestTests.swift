import Domain
import Kernel
import Testing

@Suite struct ManifestTests {
  static let whole = """
    {"id":"accounts","version":"1.0.0","requires":["council.http/1","council.records/1"],
     "config":{"type":"object"},
     "records":[{"name":"accounts","fields":[{"name":"email","type":"string","required":true,"unique":true,"max_length":200},
       {"name":"balance","type":"integer","default":0,"minimum":0}],"indexes":[["balance","created_at"]],
       "queries":[{"name":"by_email","query":{"where":{"email":{"eq":"$email"}},"limit":1}}]}],
     "routes":[{"method":"GET","path":"/{id}","operation":"get_account","execution":"inline"},
       {"method":"POST","path":"/","operation":"create_account","body":{"type":"object"},"deadline_ms":5000,
        "limit":{"requests":10,"per_s":60}},
       {"method":"GET","path":"/status","operation":"status","public":true}]}
    """

  @Test func readsEveryMember() throws {
    let manifest = try Manifest.parse(Array(Self.whole.utf8))
    #expect(manifest.id == "accounts")
    #expect(manifest.collections[0].fields[0].unique)
    #expect(manifest.collections[0].queries[0].name == "by_email")
    #expect(manifest.routes[0].execution == .inline)
    #expect(manifest.routes[0].scope == "accounts:read")
    #expect(manifest.routes[1].scope == "accounts:write")
    #expect(manifest.routes[1].limit == RateLimit(requests: 10, per: .seconds(60)))
    #expect(manifest.routes[1].deadline == .seconds(5))
    #expect(manifest.routes[2].scope == nil)
  }

  @Test func writesTakeAnIdempotencyKeyAndNothingElseUnlessTheySaySo() throws {
    let plain = try Manifest.parse(Array(Self.whole.utf8)).routes
    #expect(plain.map(\.idempotency) == [.none, .optional, .none])
    #expect(plain.allSatisfy { !$0.confirm && !$0.dryRun })
    let route = try Manifest.parse(
      Array(
        #"{"id":"a","version":"1","routes":[{"method":"DELETE","path":"/","operation":"a","confirm":true,"dry_run":true,"idempotency":"required"}]}"#
          .utf8)
    ).routes[0]
    #expect(route.confirm && route.dryRun && route.idempotency == .required)
  }

  @Test(arguments: [
    ("", true), (",\"idempotency\":\"none\"", true), (",\"idempotency\":\"optional\"", false),
    (",\"idempotency\":\"required\"", false),
  ])
  func aWriteThatStreamsTakesNoKey(_ more: String, _ isFine: Bool) {
    let text =
      #"{"id":"a","version":"1","requires":["council.stream/1"],"routes":[{"method":"POST","path":"/","operation":"a","stream":true\#(more)}]}"#
    let route = try? Manifest.parse(Array(text.utf8)).routes.first
    #expect(route?.idempotency == (isFine ? Idempotency.none : nil))
  }

  private func route(_ members: String) -> String {
    #"{"id":"a","version":"1","routes":[{"path":"/","operation":"o",\#(members)}]}"#
  }

  private func pointers(_ members: String) -> [String] {
    refusal(route(members))?.members["errors"]?.array?.compactMap { $0["pointer"]?.string } ?? []
  }

  @Test func readsWhatARouteSaysToAgents() throws {
    let members = #"""
      "method":"DELETE","title":"Remove","description":"For good.","hints":{"idempotent":false,"open_world":true},
      "errors":[{"status":409,"code":"a.busy","description":"Later."}],
      "deprecated":{"since":"2026-11-20T01:00:00+01:00","sunset":"2027-01-01T00:00:00Z","link":"/v2/a"}
      """#
    let read = try Manifest.parse(Array(route(members).utf8)).routes[0]
    #expect(read.title == "Remove" && read.details == "For good.")
    #expect(read.hints == RouteHints(readOnly: false, destructive: true, idempotent: false, openWorld: true))
    #expect(read.errors == [DeclaredError(status: 409, code: "a.busy", description: "Later.")])
    #expect(read.deprecation?.since.text == "2026-11-20T00:00:00.000Z" && read.deprecation?.link == "/v2/a")
    for (method, hints) in [
      ("GET", RouteHints(readOnly: true, destructive: false, idempotent: true)),
      ("PUT", RouteHints(readOnly: false, destructive: false, idempotent: true)),
      ("POST", RouteHints(readOnly: false, destructive: false, idempotent: false)),
      ("DELETE", RouteHints(readOnly: false, destructive: true, idempotent: true)),
    ] {
      #expect(try Manifest.parse(Array(route(#""method":"\#(method)""#).utf8)).routes[0].hints == hints)
    }
  }

  @Test func whatIsConfirmedDestroysUnlessTheManifestSaysOtherwise() throws {
    func isDestructive(_ members: String) throws -> Bool {
      try Manifest.parse(Array(route(members).utf8)).routes[0].hints.destructive
    }
    for method in ["POST", "PUT", "PATCH"] {
      let confirmed = #""method":"\#(method)","confirm":true"#
      #expect(try isDestructive(confirmed) && isDestructive(confirmed + #","hints":{"open_world":true}"#))
      #expect(try !isDestructive(#""method":"\#(method)","confirm":false"#))
      #expect(try !isDestructive(confirmed + #","hints":{"destructive":false}"#))
      #expect(try !isDestructive(confirmed + #","hints":{"read_only":true}"#))
      #expect(
        pointers(confirmed + #","hints":{"read_only":true,"destructive":true}"#) == ["/routes/0/hints"])
    }
    #expect(pointers(#""method":"DELETE","confirm":true,"hints":{"read_only":true}"#) == ["/routes/0/hints"])
  }

  @Test func aSuccessMayHaveOneStatus() throws {
    #expect(try Manifest.parse(Array(route(#""method":"GET""#).utf8)).routes[0].status == nil)
    for status in [200, 204, 299] {
      let text = route(#""method":"POST","status":\#(status)"#)
      #expect(try Manifest.parse(Array(text.utf8)).routes[0].status == status)
    }
    for status in ["199", "300", "\"200\"", "200.5"] {
      #expect(pointers(#""method":"POST","status":\#(status)"#) == ["/routes/0/status"])
    }
    #expect(pointers(#""method":"GET","status":206,"response":{}"#).isEmpty)
    for status in [204, 205] {
      #expect(pointers(#""method":"POST","status":\#(status),"response":{}"#) == ["/routes/0/response"])
    }
  }

  // MARK: Fields that agents may read without a route

  private func collection(_ resourceFields: String) -> String {
    #"""
    {"id":"a","version":"1","requires":["council.records/1"],"routes":[{"method":"GET","path":"/","operation":"o"}],
     "records":[{"name":"c","fields":[{"name":"label","type":"string"},
      {"name":"secret","type":"string","encrypted":true}],"resource_fields":\#(resourceFields)}]}
    """#
  }

  @Test func resourceFieldsAreFieldsOrWhatTheHostKeeps() throws {
    let names = ["label", "version", "created_at", "updated_at"]
    for fields in [["label"], names] {
      let text = collection(JSON.text(JSONValue.array(fields.map(JSONValue.string))))
      #expect(try Manifest.parse(Array(text.utf8)).collections[0].resourceFields == fields)
    }
    let silent = collection("[]").replacing(#","resource_fields":[]"#, with: "")
    #expect(try Manifest.parse(Array(silent.utf8)).collections[0].resourceFields == [])
  }

  @Test(arguments: [
    (#"["other"]"#, "/0"), (#"["label","other"]"#, "/1"), (#"["secret"]"#, "/0"),
    (#"["label","label"]"#, "/1"),
    ("[]", ""), (#""label""#, ""), ("null", ""), ("[7]", "/0"), (#"[""]"#, "/0"), (#"["id"]"#, "/0"),
  ]) func resourceFieldsThatCannotBeShownAreRefused(fields: String, place: String) {
    let found = refusal(collection(fields))?.members["errors"]?.array?.compactMap { $0["pointer"]?.string }
    #expect(found?.contains("/records/0/resource_fields\(place)") == true, "\(found ?? [])")
  }

  @Test func readsWhichVersionOfWhatItIs() throws {
    func read(_ members: String) -> Manifest? {
      try? Manifest.parse(
        Array(
          #"{"version":"1","routes":[{"method":"GET","path":"/x","operation":"o"},{"method":"GET","path":"/y","operation":"p","deprecated":{"since":"2025-01-01T00:00:00Z"}}],\#(members)}"#
            .utf8))
    }
    let second = try #require(
      read(#""id":"a-b-v12","version_of":"a-b","deprecated":{"since":"2026-01-01T00:00:00Z"}"#))
    #expect(
      second.root == "/v12/a-b" && second.rootSegments == 2 && second.family == "a-b" && second.number == 12)
    #expect(second.routes[0].scope == "a-b:read")
    #expect(second.routes.map { $0.deprecation?.since.text.prefix(4) } == ["2026", "2025"])
    // Without the word, a name is a name.
    let plain = try #require(read(#""id":"a-v2""#))
    #expect(plain.root == "/a-v2" && plain.family == "a-v2" && plain.number == nil)
    for members in [
      #""id":"a-v1","version_of":"a""#, #""id":"a-v02","version_of":"a""#, #""id":"a-v2","version_of":"b""#,
      #""id":"a-v10000","version_of":"a""#, #""id":"docs-v2","version_of":"docs""#,
      #""id":"a","version_of":"a""#,
    ] {
      #expect(read(members) == nil, "\(members)")
    }
    #expect(read(#""id":"a-v9999","version_of":"a""#)?.root == "/v9999/a")
  }

  @Test func refusesWhatARouteCannotSayToAgents() {
    let at = "/routes/0"
    #expect(pointers(#""method":"GET","hints":{"destructive":true}"#) == ["\(at)/hints"])
    #expect(pointers(#""method":"GET","hints":{"x":true}"#) == ["\(at)/hints/x"])
    #expect(
      pointers(#""method":"GET","errors":[{"status":399,"code":"A"}]"#) == [
        "\(at)/errors/0/status", "\(at)/errors/0/code",
      ])
    #expect(pointers(#""method":"GET","deprecated":{"since":"yesterday"}"#) == ["\(at)/deprecated/since"])
    #expect(
      pointers(
        #""method":"GET","deprecated":{"since":"2026-11-20T00:00:00Z","sunset":"2026-11-19T00:00:00Z","link":"http://x"}"#
      )
        == ["\(at)/deprecated/sunset", "\(at)/deprecated/link"])
    let long = String(repeating: "o", count: 63)
    let name = refusal(
      #"{"id":"a","version":"1","routes":[{"method":"GET","path":"/","operation":"\#(long)"}]}"#)
    #expect(name?.detail.contains("has 65 characters") == true)
  }

  @Test func namesEveryFaultAtOnceByItsPointer() throws {
    let problem = try #require(
      refusal(#"{"id":"No","version":"","routes":[{"method":"FETCH","path":"x","operation":"A"}],"x":1}"#))
    #expect(problem.code == "plugin.manifest.invalid")
    let pointers = problem.members["errors"]?.array?.compactMap { $0["pointer"]?.string } ?? []
    #expect(
      Set(pointers) == ["/x", "/id", "/version", "/routes/0/method", "/routes/0/path", "/routes/0/operation"])
  }

  @Test(arguments: [
    ("[]", ""), (#"{"id":"health"}"#, "/id"), (#"{"id":"v2"}"#, "/id"), (#"{"id":"a b"}"#, "/id"),
    (#"{"id":"a","requires":[1]}"#, "/requires/0"), (#"{"id":"a","config":3}"#, "/config"),
    (
      #"{"id":"a","records":[{"name":"a","fields":[{"name":"id","type":"string"}]}]}"#,
      "/records/0/fields/0/name"
    ),
    (
      #"{"id":"a","records":[{"name":"a","fields":[{"name":"x","type":"uuid"}]}]}"#,
      "/records/0/fields/0/type"
    ),
    (
      #"{"id":"a","records":[{"name":"a","fields":[{"name":"x","type":"string"}],"indexes":[["y"]]}]}"#,
      "/records/0/indexes/0"
    ),
    (#"{"id":"a","routes":[{"method":"GET","path":"/","operation":"a","body":{}}]}"#, "/routes/0/body"),
    (
      #"{"id":"a","routes":[{"method":"GET","path":"/","operation":"a","public":true,"scope":"a:b"}]}"#,
      "/routes/0/scope"
    ),
    (
      #"{"id":"a","routes":[{"method":"GET","path":"/","operation":"a","confirm":true}]}"#,
      "/routes/0/confirm"
    ),
    (
      #"{"id":"a","routes":[{"method":"GET","path":"/","operation":"a","dry_run":true}]}"#,
      "/routes/0/dry_run"
    ),
    (
      #"{"id":"a","requires":["council.stream/1"],"routes":[{"method":"POST","path":"/","operation":"a","stream":true,"dry_run":true}]}"#,
      "/routes/0/dry_run"
    ),
    (
      #"{"id":"a","routes":[{"method":"GET","path":"/","operation":"a","idempotency":"optional"}]}"#,
      "/routes/0/idempotency"
    ),
    (
      #"{"id":"a","routes":[{"method":"PUT","path":"/","operation":"a","idempotency":true}]}"#,
      "/routes/0/idempotency"
    ),
    (
      #"{"id":"a","routes":[{"method":"GET","path":"/","operation":"a","limit":{"requests":0,"per_s":1}}]}"#,
      "/routes/0/limit/requests"
    ),
    (
      #"{"id":"a","routes":[{"method":"GET","path":"/","operation":"a"},{"method":"PUT","path":"/","operation":"a"}]}"#,
      "/routes/1"
    ),
  ])
  func refusesByRule(document: String, pointer: String) throws {
    let problem = try #require(refusal(document))
    let pointers = problem.members["errors"]?.array?.compactMap { $0["pointer"]?.string } ?? []
    #expect(pointers.contains(pointer), "\(pointers)")
  }

  @Test(arguments: [
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"integer","searchable":true}]}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/fields/0/searchable"
    ),
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"json","encrypted":true}]}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/fields/0/encrypted"
    ),
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"string","encrypted":true,"searchable":true}]}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/fields/0/searchable"
    ),
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"string","encrypted":true,"default":"x"}]}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/fields/0/default"
    ),
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"string","encrypted":"yes"}]}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/fields/0/encrypted"
    ),
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"string"}],"expires":{"field":"f"}}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/expires/field"
    ),
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"string"}],"expires":{"field":"created_at"}}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/expires/field"
    ),
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"timestamp"}],"expires":{"field":"f","after_s":0}}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/expires/after_s"
    ),
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"timestamp"}],"expires":{"field":"f","ttl":5}}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/expires/ttl"
    ),
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"timestamp"}],"expires":{}}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/expires/field"
    ),
    (
      #"{"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[{"name":"f","type":"timestamp"}],"expires":"f"}],"routes":[{"method":"GET","path":"/","operation":"a"}]}"#,
      "/records/0/expires"
    ),
  ])
  func refusesFieldsThatCannotBe(document: String, pointer: String) throws {
    let problem = try #require(refusal(document))
    let pointers = problem.members["errors"]?.array?.compactMap { $0["pointer"]?.string } ?? []
    #expect(pointers == [pointer])
  }

  @Test func aRouteThatStreamsNeedsItsExtension() throws {
    let route = #""routes":[{"method":"GET","path":"/","operation":"a","stream":true}]"#
    let manifest = try Manifest.parse(
      Array(#"{"id":"a","version":"1","requires":["council.stream/1"],\#(route)}"#.utf8))
    #expect(manifest.routes[0].streams)
    let problem = try #require(refusal(#"{"id":"a","version":"1",\#(route)}"#))
    #expect(problem.members["errors"]?.array?.map { $0["pointer"]?.string } == ["/requires"])
    let odd = try #require(
      refusal(
        #"{"id":"a","version":"1","routes":[{"method":"GET","path":"/","operation":"a","stream":"yes"}]}"#))
    #expect(odd.members["errors"]?.array?.map { $0["pointer"]?.string } == ["/routes/0/stream"])
  }

  @Test func readsSearchableEncryptedAndExpires() throws {
    let manifest = try Manifest.parse(
      Array(
        #"""
        {"id":"a","version":"1","requires":["council.records/1"],"records":[{"name":"c","fields":[
        {"name":"s","type":"string","searchable":true},{"name":"e","type":"string","encrypted":true},
        {"name":"t","type":"timestamp"}],"expires":{"field":"t","after_s":60}}],
        "routes":[{"method":"GET","path":"/","operation":"a"}]}
        """#.utf8))
    #expect(manifest.collections[0].fields.map(\.searchable) == [true, false, false])
    #expect(manifest.collections[0].fields.map(\.encrypted) == [false, true, false])
    #expect(manifest.collections[0].expires == ExpiryDeclaration(field: "t", afterSeconds: 60))
  }

  @Test(arguments: ["", "{", "\u{FFFD}", "nul", "[1,"])
  func refusesWhatIsNotJSON(text: String) throws {
    #expect(refusal(text)?.code == "plugin.manifest.json")
  }

  @Test func refusesBytesThatAreNotUTF8() {
    #expect(throws: Problem.self) { try Manifest.parse([0x7B, 0x22, 0xFF, 0x22, 0x7D]) }
  }

  @Test func readsTheLargestSizeAndRefusesOneByteMore() throws {
    let padding = Manifest.maxBytes - Self.whole.utf8.count
    _ = try Manifest.parse(Array(Self.whole.utf8) + [UInt8](repeating: 0x20, count: padding))
    let problem = refusal(Self.whole + String(repeating: " ", count: padding + 1))
    #expect(problem?.code == "plugin.manifest.too_large")
  }

  /// Mutations of a good manifest are read or refused; none traps.
  @Test func survivesEveryMutation() {
    var random = Seeded(state: 7)
    let good = Array(Self.whole.utf8)
    for _ in 0..<3000 {
      var bytes = good
      for _ in 0...Int(random.next() % 4) {
        let place = Int(random.next() % UInt64(bytes.count))
        switch random.next() % 3 {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.remove(at: place)
        default: bytes.insert(bytes[Int(random.next() % UInt64(bytes.count))], at: place)
        }
      }
      do throws(Problem) { _ = try Manifest.parse(bytes) } catch { #expect(error.status == 422) }
    }
  }

  private func refusal(_ text: String) -> Problem? {
    do throws(Problem) {
      _ = try Manifest.parse(Array(text.utf8))
      return nil
    } catch { return error }
  }
}

private struct Seeded {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }
}

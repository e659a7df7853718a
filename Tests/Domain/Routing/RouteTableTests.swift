import Domain
import Kernel
import Testing

@Suite struct RouteTableTests {
  let table = RouteTable([
    (.get, pattern("/")), (.post, pattern("/")), (.get, pattern("/{id}")), (.get, pattern("/me")),
    (.delete, pattern("/{id}/entries/{entry}")), (.get, pattern("/me/entries/all")),
    (.get, pattern("/a/b")), (.get, pattern("/{x}/c")),
  ])

  @Test(arguments: [
    (HTTPMethod.get, "", 0), (.post, "", 1), (.get, "7", 2), (.get, "me", 3), (.head, "7", 2),
    (.get, "me/entries/all", 5), (.get, "a/b", 6), (.get, "a/c", 7), (.get, "z/c", 7),
  ])
  func findsTheMostSpecificRoute(method: HTTPMethod, path: String, route: Int) {
    #expect(match(method, path).0 == .route(route))
  }

  @Test func namesTheParametersInOrder() {
    let (found, parameters) = match(.delete, "7/entries/9")
    #expect(found == .route(4))
    #expect(parameters == [0, 2])
    #expect(match(.get, "a/c").1 == [0])
    #expect(match(.get, "a/b").1 == [])
  }

  @Test(arguments: ["me/entries", "7/8/9", "a//b", "/", "7/"])
  func findsNothingElse(path: String) {
    #expect(match(.get, path).0 == .notFound)
  }

  @Test func tellsAWrongMethodFromAWrongPath() {
    guard case .methodNotAllowed(let allowed) = match(.put, "").0 else {
      Issue.record("a known path was not found")
      return
    }
    #expect(allowed.allow == "GET, HEAD, POST, OPTIONS")
    #expect(match(.post, "7").0 == .methodNotAllowed(allowed: .init(.get)))
  }

  @Test func tenThousandRoutesAreAllFound() {
    let many = RouteTable((0..<10_000).map { (.get, pattern("/r\($0)/{id}")) })
    for number in stride(from: 0, to: 10_000, by: 37) {
      #expect(match(.get, "r\(number)/x", in: many).0 == .route(number))
    }
    #expect(match(.get, "r10000/x", in: many).0 == .notFound)
  }

  private func match(
    _ method: HTTPMethod, _ path: String, in other: RouteTable? = nil
  ) -> (RouteTable.Match, [Int]) {
    var bytes: [UInt8] = Array("accounts".utf8)
    var ranges = [ByteRange(offset: 0, count: bytes.count)]
    if !path.isEmpty {
      for part in path.split(separator: "/", omittingEmptySubsequences: false) {
        ranges.append(ByteRange(offset: bytes.count, count: part.utf8.count))
        bytes += part.utf8
      }
    }
    var parameters: [Int] = []
    let found = (other ?? table).match(
      method, RouteTable.Segments(of: bytes.span, at: ranges.span, from: 1), parameters: &parameters)
    return (found, parameters)
  }
}

@Suite struct RoutePatternTests {
  @Test(arguments: ["/", "/a", "/a/", "/{id}", "/a/{id}/b", "/a-b_c.d~e:f@g"])
  func takes(path: String) throws { _ = try RoutePattern.parse(path).get() }

  @Test(arguments: [
    "", "a", "//", "/a//b", "/..", "/a/./b", "/{}", "/{Id}", "/{id", "/x{id}", "/{a}/{a}", "/a b", "/é",
    "/%41",
    "/" + Array(repeating: "a", count: 17).joined(separator: "/"),
  ])
  func refuses(path: String) {
    #expect(throws: RoutePattern.Fault.self) { try RoutePattern.parse(path).get() }
  }
}

@Suite struct RouteConflictTests {
  @Test func findsDuplicatesWhateverTheParametersAreCalled() {
    let found = RouteConflict.find([
      (.get, pattern("/{a}")), (.post, pattern("/{a}")), (.get, pattern("/{b}")),
    ])
    #expect(found.map { [$0.first, $0.second] } == [[0, 2]])
    #expect(found.map(\.kind) == [.duplicate])
  }

  @Test(arguments: [
    ("/{a}/x", "/y/{b}", true), ("/y/{b}", "/{a}/x", true), ("/{a}/{b}", "/y/{b}", false),
    ("/me", "/{id}", false),
    ("/a/{x}/c", "/a/b/{y}", true), ("/a/{x}", "/b/{y}", false), ("/{x}/c", "/a/b", false),
  ])
  func knowsWhatIsAmbiguous(first: String, second: String, ambiguous: Bool) {
    let found = RouteConflict.find([(.get, pattern(first)), (.get, pattern(second))])
    #expect(found.map(\.kind) == (ambiguous ? [.ambiguous] : []))
    #expect(RouteConflict.find([(.get, pattern(first)), (.put, pattern(second))]).isEmpty)
  }
}

private func pattern(_ path: String) -> RoutePattern {
  guard let pattern = try? RoutePattern.parse(path).get() else {
    preconditionFailure("\(path) is no pattern")
  }
  return pattern
}

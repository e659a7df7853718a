import AdminAPI
import Application
import Domain
import Doubles
import Kernel
import Synchronization
import Testing

struct CallEndpointsTests {
  private func fixture() throws -> (fixture: AdminFixture, key: String) {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    fixture.files.put("/tmp/hello.so", fixture.manifest())
    #expect(
      fixture.send(.post, "/admin/v1/automations", key: key, body: #"{"path":"/tmp/hello.so"}"#).status == 201
    )
    fixture.audit.state.withLock {
      $0.documents = [
        ["seq": 1, "method": "GET", "path": "/hello/a", "automation": "hello", "status": 200],
        ["seq": 2, "method": "GET", "path": "/other/a", "automation": "other", "status": 200],
        ["seq": 3, "method": "GET", "path": "/hello/b/c", "status": 404],
        ["seq": 4, "method": "GET", "path": "/hellos", "status": 404],
        [
          "seq": 5, "method": "GET", "path": "/admin/v1/automations/hello/calls", "automation": "admin",
          "status": 200,
        ],
        ["seq": 6, "action": "automation.load", "target": "hello", "status": 201],
      ]
    }
    return (fixture, key)
  }

  @Test func onlyTheAutomationsOwnCallsAreTold() throws {
    let (fixture, key) = try fixture()
    for wait in ["", "&wait_ms=50"] {
      let answer = fixture.send(.get, "/admin/v1/automations/hello/calls?after=0\(wait)", key: key).json
      #expect(answer["items"]?.array?.compactMap { $0["seq"] } == [1, 3])
      #expect(answer["next"] == 6)
    }
    #expect(
      fixture.send(.get, "/admin/v1/automations/hello/calls?after=1", key: key).json["items"]?.array?.count
        == 1)
  }

  @Test func theFirstAnswerSaysWhereTheTrailEnds() throws {
    let (fixture, key) = try fixture()
    let answer = fixture.send(.get, "/admin/v1/automations/hello/calls", key: key).json
    #expect(answer["items"] == [] && answer["next"] == 6)
  }

  @Test func whatCannotBeFollowedIsRefused() throws {
    let (fixture, key) = try fixture()
    let path = "/admin/v1/automations/hello/calls"
    #expect(fixture.send(.get, "/admin/v1/automations/none/calls", key: key).status == 404)
    for query in ["after=-1", "after=x", "wait_ms=-1", "wait_ms=2001", "wait_ms=x"] {
      #expect(fixture.send(.get, "\(path)?\(query)", key: key).status == 400, "\(query)")
    }
    #expect(fixture.send(.get, "\(path)?wait_ms=2000&after=0", key: key).status == 200)
    #expect(fixture.send(.get, path, key: try fixture.key("admin:read")).status == 403)
  }
}

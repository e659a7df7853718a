import CouncilTesting
import Testing

@testable import __NAME__

@Test func keepsANoteAndGivesItBack() throws {
  let host = try FakeHost(__NAME__.self)
  let created = try host.call("POST", "/__ID__/", body: ["text": "Water the plants", "label": "home"])
  #expect(created.status == 201)
  let path = try #require(created.header("location"))
  #expect(try host.call("GET", path).json["text"] == "Water the plants")
  #expect(try host.call("GET", "/__ID__/?label=home").json["items"]?.array?.count == 1)
}

@Test func refusesANoteWithoutText() throws {
  let host = try FakeHost(__NAME__.self)
  #expect(try host.call("POST", "/__ID__/", body: ["label": "home"]).status == 422)
}

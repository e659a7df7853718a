import Application
import CommandLineInterface
import Domain
import HTTPClient
import Kernel
import SQLiteStore

/// Port ``PrivateHost``: `council serve` as a child, on loopback and free ports, with one plugin and a copy of its
/// automation's records in a folder that goes with it.
final class ChildHost: PrivateHost {
  private let folder: String
  private let process: CouncilProcess
  private let transport = CurlTransport()
  private var port: Int64 = 0
  private var key = ""
  private var isStopped = false

  init(_ order: PrivateHostOrder) throws(Problem) {
    let folder = try PrivateFolder.make()
    do throws(Problem) {
      self.folder = folder
      if let home = order.home {
        // Another version of an automation has that one's records.
        for name in [order.automation, Names.version(of: order.automation)?.automation].compactMap(\.self) {
          _ = try SQLiteRecordStores.copy(
            automation: name, from: "\(home)/records", to: "\(folder)/home/records")
        }
      }
      // No limit of a caller's rate: what is compared is the plugins' answers.
      var settings =
        "limits:\n  requests: 1000000000\n  anonymous_requests: 1000000000\nlog:\n  level: info\n"
      if let keys = order.encryptionKeys {
        settings += "records:\n  encryption_key_file: \(JSON.text(.string(keys)))\n"
      }
      try HomeFolder.writeSecret(settings, to: folder + "/council.yaml")
      process = try CouncilProcess(
        [
          "serve", "--home", folder + "/home", "--port", "0", "--admin-port", "0", "--config",
          folder + "/council.yaml", "--issue-first-keys", folder + "/keys",
        ], output: folder + "/log")
    } catch {
      PrivateFolder.remove(folder)
      throw error
    }
    do throws(Problem) { try begin(order) } catch {
      stop()
      throw error
    }
  }

  deinit { stop() }

  func stop() {
    guard !isStopped else { return }
    isStopped = true
    process.end()
    PrivateFolder.remove(folder)
  }

  func send(
    _ method: String, _ target: String, headers: [(name: String, value: String)], body: [UInt8]?
  ) throws(Problem) -> IncomingAnswer { try send(port, method, target, headers: headers, body: body) }

  // MARK: Starting

  private func begin(_ order: PrivateHostOrder) throws(Problem) {
    let admin = try ready()
    let text = (try? SystemFiles().read(folder + "/keys/admin.key", maxBytes: 4096)) ?? []
    key = String(decoding: text.prefix { $0 > 0x20 }, as: UTF8.self)
    guard let config = try? JSONValue.parse(order.config.span) else {
      throw Problem(422, "automation.config_invalid", "The configuration is not JSON.")
    }
    let body = JSON.encode(["path": JSONValue.string(order.plugin), "config": config])
    let answer = try send(
      admin, "POST", "/admin/v1/automations?isolation=\(order.isolation.text)",
      headers: [("content-type", "application/json")], body: body)
    guard answer.status < 300 else {
      let problem = try? JSONValue.parse(answer.body.span)
      throw Problem(
        422, problem?["code"]?.string ?? "replay.unavailable",
        "\(order.plugin) does not load: \(problem?["detail"]?.string ?? "status \(answer.status)")")
    }
    let document = try? JSONValue.parse(answer.body.span)
    guard document?["automation"]?.string == order.automation else {
      throw Problem(
        409, "plugin.manifest.other_automation",
        "\(order.plugin) is a plugin of '\(document?["automation"]?.string ?? "")', not of '\(order.automation)'."
      )
    }
  }

  /// Waits until the host says that it is ready, and on which ports; returns the admin's.
  private func ready() throws(Problem) -> Int64 {
    let deadline = Instant.now + .seconds(30)
    var log = ""
    while Instant.now < deadline {
      let isRunning = process.isRunning
      log = String(
        decoding: (try? SystemFiles().read(folder + "/log", maxBytes: 1 << 20)) ?? [], as: UTF8.self)
      for line in log.split(separator: "\n") {
        guard let value = try? JSONValue.parse(line.utf8.span), value["message"]?.string == "ready",
          let port = value["public_port"]?.integer, let admin = value["admin_port"]?.integer
        else { continue }
        self.port = port
        return admin
      }
      if !isRunning { break }
      _ = process.wait(until: .now + .milliseconds(20))
    }
    throw Problem(
      500, "replay.unavailable", "A private host does not get ready: \(log.suffix(500))")
  }

  private func send(
    _ port: Int64, _ method: String, _ target: String, headers: [(name: String, value: String)],
    body: [UInt8]?
  ) throws(Problem) -> IncomingAnswer {
    var all = headers + [(name: "authorization", value: "Bearer \(key)")]
    if body != nil, !headers.contains(where: { $0.name == "content-type" }) {
      all.append((name: "content-type", value: "application/json"))
    }
    let request = OutgoingRequest(
      method, "http://127.0.0.1:\(port)\(target)", headers: all, body: body.map { .bytes($0) } ?? .none,
      timeout: .seconds(60))
    do throws(TransportFailure) { return try transport.send(request) } catch {
      throw Problem(
        502, "replay.host_lost",
        process.isRunning ? "no answer: \(error)" : "no answer: the plugin ended its host")
    }
  }
}

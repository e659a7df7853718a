import Application
import CommandLineInterface
import Cryptography
import Domain
import HTTPServer
import Kernel
import PluginRuntime

/// What `council config check` tries beyond the file itself: everything that `council serve` would need, as far as it
/// can be known without serving. Nothing is left behind, and nothing of a plugin runs.
struct ConfigurationTrial {
  let settings: HostSettings

  func run() -> [ConfigurationFinding] {
    [home] + listener("public", settings.publicListener) + listener("admin", settings.adminListener)
      + signatures + settings.load.map(plugin)
  }

  private var home: ConfigurationFinding {
    let fault = HomeFolder.fault(settings.home)
    return .init(
      what: "home", isGood: fault == nil, detail: fault ?? "\(settings.home) can be used",
      code: "home.unavailable")
  }

  private func listener(_ name: String, _ configuration: HTTPServerConfiguration) -> [ConfigurationFinding] {
    [address(name, configuration)] + (configuration.tls.map { [tls(name, $0)] } ?? [])
  }

  private func address(_ name: String, _ configuration: HTTPServerConfiguration) -> ConfigurationFinding {
    guard case .address(let address, let port) = configuration.listener else {
      return .init(what: "\(name) address", isGood: true, detail: "is inherited", code: "")
    }
    do throws(Problem) {
      try HTTPServer.tryListening(configuration)
      return .init(
        what: "\(name) address", isGood: true, detail: "\(address) port \(port) can be bound", code: "")
    } catch {
      let isInUse = error.members["in_use"]?.bool == true
      let holder = isInUse ? PortHolder.find(port: port).map { "; \($0) listens there" } ?? "" : ""
      return .init(
        what: "\(name) address", isGood: false, detail: error.detail + holder, code: error.code)
    }
  }

  private func tls(_ name: String, _ files: HTTPServerConfiguration.TLS) -> ConfigurationFinding {
    do throws(Problem) {
      let certificate = try TLSFiles.read(files, of: name)
      let days = certificate.secondsLeft / 86_400
      let (isGood, detail, code) =
        certificate.isExpired
        ? (false, "\(files.certificateFile) has expired", "tls.expired")
        : certificate.isNotYetValid
          ? (false, "\(files.certificateFile) is not valid yet", "tls.not_yet_valid")
          : (true, "certificate and key fit; \(days) days are left", "")
      return .init(what: "\(name) TLS", isGood: isGood, detail: detail, code: code)
    } catch {
      return .init(what: "\(name) TLS", isGood: false, detail: error.detail, code: error.code)
    }
  }

  /// The keys that the configuration names; nothing when it names none.
  private var signatures: [ConfigurationFinding] {
    guard !settings.values.signatures.trustedKeys.isEmpty else { return [] }
    do throws(Problem) {
      let names = try TrustedKeys.policy(settings.values.signatures).keys.map(\.name)
      return [
        .init(
          what: "signatures", isGood: true, detail: "signed by \(names.joined(separator: ", "))", code: "")
      ]
    } catch {
      return [.init(what: "signatures", isGood: false, detail: error.detail, code: error.code)]
    }
  }

  private func plugin(_ path: String) -> ConfigurationFinding {
    do throws(Problem) {
      let facts = try ValidateFile(
        digests: OpenSSLDigests(), signatures: settings.signatureCheck, limits: settings.validation)(path)
      return .init(
        what: "plugin", isGood: true, detail: "\(path) is a plugin, \(facts.bytes) bytes", code: "")
    } catch {
      return .init(what: "plugin", isGood: false, detail: "\(path): \(error.detail)", code: error.code)
    }
  }
}

import Application
import CommandLineInterface
import Doubles
import JSONSchema
import Kernel

extension AuthorServices {
  static let doubles = AuthorServices(
    signer: FixedSigner(), signatures: WeakSignatures(), schemas: JSONSchemaCompiler(),
    workshop: ClosedWorkshop())
}

/// Says what it was asked.
struct FixedSigner: PluginSigning {
  func sign(
    path: String, output: String, privateKey: [UInt8], at time: Timestamp
  ) throws(Problem) -> SigningReport {
    SigningReport(
      output: output, sha256: "ab", plugin: "hello", version: "1.0.0",
      keyID: Hex.encode(privateKey.prefix(4)),
      signedAt: time.text)
  }
}

/// Nothing can be started.
struct ClosedWorkshop: Workshop {
  func open() throws(FileFailure) -> any WorkshopEvents { throw FileFailure("closed") }
  func makeTemporaryFolder() throws(FileFailure) -> String { throw FileFailure("closed") }
  func removeFolder(_ path: String) {}
  var councilProgram: String { "/none" }
}

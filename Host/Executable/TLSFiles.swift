import Configuration
import Cryptography
import HTTPServer
import Kernel

/// The two files of a listener with TLS, read and compared before anything listens.
enum TLSFiles {
  private static let maxBytes = 1 << 20

  /// Throws `tls.unreadable`, or what ``ServerCertificate`` finds (422); names the listener and the files.
  static func read(
    _ files: HTTPServerConfiguration.TLS, of listener: String
  ) throws(Problem) -> ServerCertificate {
    let chain = try content(files.certificateFile, listener)
    let key = try content(files.keyFile, listener)
    do { return try ServerCertificate(chain: chain, key: key) } catch {
      throw Problem(
        error.status, error.code,
        "\(error.detail) (\(listener).tls_certificate: \(files.certificateFile), \(listener).tls_key: \(files.keyFile))"
      )
    }
  }

  private static func content(_ path: String, _ listener: String) throws(Problem) -> [UInt8] {
    guard let bytes = WholeFile.read(path, maxBytes: maxBytes) else {
      throw Problem(
        422, "tls.unreadable",
        "\(path), named by the \(listener) listener, is no regular file of at most 1 MiB that can be read.")
    }
    return bytes
  }
}

/// Certificates that the openssl command makes, in a folder of the run.
struct Certificates {
  let folder: String

  init() {
    folder = Fixtures.folder + "/tls"
    guard !System.exists(folder) else { return }
    // Two pairs, and the first certificate again with an end that is past.
    System.shell(
      """
      mkdir -p '\(folder)' && cd '\(folder)' && exec 2>openssl.log && for name in first second; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
          -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout $name.key -out $name.pem
      done && openssl x509 -in first.pem -signkey first.key -days -1 -out expired.pem && echo nonsense >bad.pem
      openssl pkey -in first.key -aes256 -passout pass:secret -out locked.key
      """)
  }

  func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// The lines of a configuration file.
  func settings(_ listener: String = "public", certificate: String = "first.pem", key: String = "first.key")
    -> String
  {
    "\(listener):\n  tls_certificate: \(path(certificate))\n  tls_key: \(path(key))\n"
  }
}

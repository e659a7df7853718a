import CCouncil

/// Which plugin contracts this host serves: see council.h.
package enum PluginContract {
  package static let majors = [Int(COUNCIL_ABI_MAJOR)]
  package static let minor = Int(COUNCIL_ABI_MINOR)
}

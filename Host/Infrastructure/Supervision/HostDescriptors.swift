/// The descriptors that a host inherits from its supervisor: 0 is /dev/null, 1 and 2 are the supervisor's own.
package enum HostDescriptors {
  /// ``Notice`` one way, ``HostWord`` the other.
  package static let channel: Int32 = 3
  package static let crashPage: Int32 = 4
  /// The text of the configuration file as the supervisor has checked it; empty when there is none.
  package static let configuration: Int32 = 5
  package static let publicListener: Int32 = 6
  package static let adminListener: Int32 = 7
  /// The home's lock: it is free when the last process that has it is gone, whoever that is.
  package static let homeLock: Int32 = 8

  package static let all = channel...homeLock
}

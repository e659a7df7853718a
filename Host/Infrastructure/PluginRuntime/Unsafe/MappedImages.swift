import CPlugins

/// Whether an image of that name or path is mapped into this process. Runs none of its code.
func isMapped(_ name: String) -> Bool {
  // Safe: the name is lent for the call; nothing is loaded, so nothing runs.
  unsafe name.withCString { unsafe cplugins_is_mapped($0) }
}

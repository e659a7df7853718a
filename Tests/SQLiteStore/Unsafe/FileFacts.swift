import Glibc

/// Size and permissions of a file; nil when there is none.
func fileFacts(_ path: String) -> (size: Int, mode: Int)? {
  var facts = stat()
  // Safe: the call fills the struct; the path lives during it.
  guard unsafe stat(path, &facts) == 0 else { return nil }
  return (Int(facts.st_size), Int(facts.st_mode) & 0o7777)
}

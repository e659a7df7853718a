import Glibc
import Kernel
import Testing

/// Waits until a condition holds that another thread brings about; an issue after ten seconds.
func eventually(
  _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
) {
  let end = Instant.now + .seconds(10)
  while !condition() {
    guard Instant.now < end else {
      Issue.record(what, sourceLocation: sourceLocation)
      return
    }
    sched_yield()
  }
}

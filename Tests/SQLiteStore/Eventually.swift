import Glibc
import Kernel
import Testing

/// Waits until a condition holds that another thread brings about; an issue after a minute.
func eventually(
  _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
) {
  let end = Instant.now + .seconds(60)
  while !condition() {
    guard Instant.now < end else {
      Issue.record(what, sourceLocation: sourceLocation)
      return
    }
    // Looks again soon, and leaves the core to the thread that it waits for.
    usleep(200)
  }
}

/// How long a thread that ran out of work looks for more before it sleeps: some microseconds.
///
/// Longer looking would save wakes and cost more: these threads are there beside the event threads, and on a machine whose
/// cores are few they would look where the others are to work.
struct ShortWait {
  private static let most = 200
  private var looks = 0

  /// There was work.
  mutating func found() { looks = 0 }

  /// There was none: true after a short pause to look again, false to sleep.
  mutating func looksAgain() -> Bool {
    looks += 1
    guard looks < ShortWait.most else {
      looks = 0
      return false
    }
    pauseBriefly()
    return true
  }
}

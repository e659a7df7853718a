import Kernel

/// A disk of four MiB (tmpfs) that a test fills: root may write where a permission says no, but not where there is
/// no room.
final class TinyDisk {
  let path: String

  /// Mounts at `path`, or in a folder of the run; nil without the right to mount.
  init?(at path: String? = nil) {
    self.path = path ?? "\(Fixtures.folder)/disk-\(UUIDv7.make())"
    guard
      System.shell("mkdir -p '\(self.path)' && mount -t tmpfs -o size=4m none '\(self.path)' 2>/dev/null")
        == 0
    else { return nil }
  }

  deinit { System.shell("umount -l '\(path)'") }

  func fill() { System.shell("cat /dev/zero >'\(path)/filler' 2>/dev/null") }
  func empty() { System.shell("rm -f '\(path)/filler'") }
}

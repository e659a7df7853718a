import Glibc
import Kernel

/// Programs and folders of this machine, by system calls.
package struct SystemWorkshop: Workshop {
  package init() {}

  package var councilProgram: String { SystemFiles().executable ?? "/proc/self/exe" }

  package func open() throws(FileFailure) -> any WorkshopEvents { try SystemWorkshopEvents() }

  package func makeTemporaryFolder() throws(FileFailure) -> String {
    // Safe: the environment is not changed while this runs; the value is copied.
    let root = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var template = Array("\(root)/council-author-XXXXXX".utf8CString)
    // Safe: the call changes the last letters of the text in place; its NUL stays.
    let made = unsafe template.withUnsafeMutableBufferPointer { unsafe mkdtemp($0.baseAddress!) != nil }
    guard made else { throw FileFailure("no folder can be made in '\(root)' (errno \(errno))") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  package func removeFolder(_ path: String) {
    var facts = stat()
    // Safe: the path lives through each call, and the kernel fills the struct. A link is removed, not followed.
    guard unsafe lstat(path, &facts) == 0 else { return }
    if facts.st_mode & S_IFMT == S_IFDIR {
      for name in (try? SystemFiles().names(in: path)) ?? [] { removeFolder("\(path)/\(name)") }
    }
    // Safe: as above. What cannot be removed stays.
    _ = unsafe remove(path)
  }
}

/// Starts a program for ``SystemWorkshopEvents``.
enum Spawning {
  /// Returns the process and the reading end of a pipe with what it says. Its input is empty, its signals are as
  /// usual, its group its own. The kernel kills it when this thread ends, however that ends.
  static func start(
    _ program: String, _ arguments: [String], in folder: String?
  ) throws(FileFailure) -> (pid: pid_t, output: Int32) {
    var ends: [Int32] = [-1, -1]
    // Safe: the kernel writes two numbers.
    guard unsafe pipe(&ends) == 0 else { throw FileFailure("no pipe can be made (errno \(errno))") }
    defer { close(ends[1]) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    // The shell goes to the folder, finds the program and becomes it.
    let line =
      folder.map { ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", $0, program] }
      ?? (program.hasPrefix("/") ? [program] : ["/bin/sh", "-c", "exec \"$0\" \"$@\"", program])
    let started = ChildProcess.start(
      line[0], line + arguments, environment: environment, descriptors: [-1, ends[1], ends[1]],
      keepsFolder: true)
    switch started {
    case .success(let child):
      close(child.descriptor)
      _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
      return (child.id, ends[0])
    case .failure(let failure):
      close(ends[0])
      throw FileFailure("'\(program)' does not start (errno \(failure.number))")
    }
  }

  /// This process's own.
  private static var environment: [String] {
    var all: [String] = []
    var place = unsafe environ
    // Safe: the block ends with a NULL, and nobody writes to it.
    while let entry = unsafe place.pointee {
      all.append(unsafe String(cString: entry))
      unsafe place += 1
    }
    return all
  }
}

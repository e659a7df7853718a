import Glibc
import Kernel

/// One `poll` over everything that this command waits for. One thread at a time, the one that made it.
final class SystemWorkshopEvents: WorkshopEvents {
  private static let pieceBytes = 16 * 1024
  private static let maxFolders = 8192
  /// How long a program that was asked to end may take.
  private static let patience: Duration = .seconds(10)

  private struct Program {
    var pid: pid_t
    var output: Int32
    var said: [UInt8] = []
    var hasEnded = false
  }

  private var programs: [Program] = []
  private var ready: [WorkshopEvent] = []
  private let signals: Int32
  private let watching: Int32
  private var folders: [Int32: String] = [:]
  private var ignored: Set<String> = []
  private var root = ""
  private var isClosed = false

  init() throws(FileFailure) {
    signals = try SignalPipe.open()
    // Safe: takes flags only.
    watching = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    guard watching >= 0 else { throw FileFailure("folders cannot be watched (errno \(errno))") }
  }

  deinit { close() }

  // MARK: Programs

  func start(_ program: String, _ arguments: [String], in folder: String?) throws(FileFailure) -> Int {
    let (pid, output) = try Spawning.start(program, arguments, in: folder)
    programs.append(Program(pid: pid, output: output))
    return programs.count - 1
  }

  func terminate(_ program: Int) {
    // The first process alone: whoever is told twice ends at once.
    if !programs[program].hasEnded { kill(programs[program].pid, SIGTERM) }
  }

  func close() {
    guard !isClosed else { return }
    isClosed = true
    programs.indices.forEach(terminate)
    let deadline = Instant.now + SystemWorkshopEvents.patience
    while programs.contains(where: { !$0.hasEnded }), Instant.now < deadline {
      wait(until: deadline)
      ready.removeAll()
    }
    for index in programs.indices where !programs[index].hasEnded {
      kill(-programs[index].pid, SIGKILL)
      var status: Int32 = 0
      // Safe: the kernel writes one number. A killed child is gone in a moment.
      _ = unsafe waitpid(programs[index].pid, &status, 0)
      Glibc.close(programs[index].output)
      programs[index].hasEnded = true
    }
    Glibc.close(watching)
  }

  /// Takes note of the children that ended.
  private func reap() {
    for index in programs.indices where !programs[index].hasEnded {
      var facts = unsafe siginfo_t()
      let pid = programs[index].pid
      // Safe: the kernel fills the struct. NOWAIT: the number stays the child's until the group is swept.
      guard unsafe waitid(P_PID, id_t(pid), &facts, WEXITED | WNOHANG | WNOWAIT) == 0,
        unsafe facts.si_signo == SIGCHLD
      else { continue }
      // What a program leaves behind ends with it.
      kill(-pid, SIGKILL)
      var status: Int32 = 0
      // Safe: the kernel writes one number.
      guard unsafe waitpid(pid, &status, 0) == pid else { continue }
      read(index)
      if !programs[index].said.isEmpty { line(index, programs[index].said) }
      Glibc.close(programs[index].output)
      programs[index].hasEnded = true
      ready.append(
        .ended(program: index, status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)))
    }
  }

  private func read(_ index: Int) {
    var piece = [UInt8](repeating: 0, count: SystemWorkshopEvents.pieceBytes)
    while true {
      // Safe: the kernel writes at most as many bytes as the array has.
      let count = unsafe piece.withUnsafeMutableBytes {
        unsafe Glibc.read(programs[index].output, $0.baseAddress!, $0.count)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      for byte in piece[..<count] {
        if byte == UInt8(ascii: "\n") || programs[index].said.count >= SystemWorkshopEvents.pieceBytes {
          line(index, programs[index].said)
          programs[index].said.removeAll(keepingCapacity: true)
          if byte == UInt8(ascii: "\n") { continue }
        }
        programs[index].said.append(byte)
      }
    }
  }

  private func line(_ index: Int, _ bytes: [UInt8]) {
    ready.append(.line(program: index, String(decoding: bytes, as: UTF8.self)))
  }

  // MARK: Folders

  func watch(_ folder: String, ignoring: Set<String>) throws(FileFailure) {
    ignored = ignoring
    root = folder
    try add(folder, depth: 0)
  }

  private func add(_ folder: String, depth: Int) throws(FileFailure) {
    let mask =
      UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM) | UInt32(IN_CREATE)
      | UInt32(IN_DELETE) | UInt32(IN_ONLYDIR) | UInt32(IN_DONT_FOLLOW)
    guard folders.count < SystemWorkshopEvents.maxFolders, depth < 32 else {
      throw FileFailure("'\(folder)' has too many folders to watch")
    }
    // Safe: the path lives through the call.
    let number = unsafe inotify_add_watch(watching, folder, mask)
    guard number >= 0 else {
      // It went between being seen and being watched.
      if errno == ENOENT || errno == ENOTDIR { return }
      throw FileFailure("'\(folder)' cannot be watched (errno \(errno))")
    }
    folders[number] = folder
    let files = SystemFiles()
    for name in (try? files.names(in: folder)) ?? [] where !ignored.contains(name) && !name.hasPrefix(".") {
      if files.kind("\(folder)/\(name)") == .folder { try add("\(folder)/\(name)", depth: depth + 1) }
    }
  }

  private func readChanges() {
    let head = MemoryLayout<inotify_event>.size
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      // Safe: the kernel writes at most as many bytes as the array has, whole events only.
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe Glibc.read(watching, $0.baseAddress!, $0.count)
      }
      guard count > 0 else { return }
      var place = 0
      while place + head <= count {
        // Safe: the range of the head was checked above.
        let event = unsafe buffer.withUnsafeBytes {
          unsafe $0.loadUnaligned(fromByteOffset: place, as: inotify_event.self)
        }
        let end = min(count, place + head + Int(event.len))
        let name = String(decoding: buffer[(place + head)..<end].prefix { $0 != 0 }, as: UTF8.self)
        take(event, name)
        place = end
      }
    }
  }

  private func take(_ event: inotify_event, _ name: String) {
    if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { return ready.append(.changed(root)) }
    guard let folder = folders[event.wd], !name.isEmpty, !ignored.contains(name), !name.hasPrefix(".") else {
      return
    }
    let path = "\(folder)/\(name)"
    let isFolder = event.mask & UInt32(bitPattern: Int32(bitPattern: UInt32(IN_ISDIR))) != 0
    if isFolder, event.mask & (UInt32(IN_CREATE) | UInt32(IN_MOVED_TO)) != 0 {
      try? add(path, depth: path.split(separator: "/").count - root.split(separator: "/").count)
    }
    // A file that was made is told of when it is closed.
    if !isFolder, event.mask & UInt32(IN_CREATE) != 0 { return }
    ready.append(.changed(path))
  }

  // MARK: Waiting

  func next(within timeout: Duration) -> WorkshopEvent {
    let deadline = Instant.now + timeout
    while ready.isEmpty {
      wait(until: deadline)
      if ready.isEmpty, Instant.now >= deadline { return .timedOut }
    }
    return ready.removeFirst()
  }

  private func wait(until deadline: Instant) {
    let alive = programs.indices.filter { !programs[$0].hasEnded }
    var places = [signals, watching] + alive.map { programs[$0].output }
    var waits = places.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let left = max(0, min(Int64(Int32.max), (deadline - Instant.now + 999_999) / 1_000_000))
    // Safe: the count is the array's own.
    guard unsafe poll(&waits, nfds_t(waits.count), Int32(left)) > 0 else { return }
    places.removeAll()
    for (slot, index) in alive.enumerated() where waits[slot + 2].revents != 0 {
      read(index)
      // Its end is closed, and it lives on: nothing more is heard of it here.
      if waits[slot + 2].revents & Int16(POLLIN) == 0 { silence(index) }
    }
    if waits[1].revents != 0 { readChanges() }
    if waits[0].revents != 0 { readSignals() }
  }

  /// Keeps `poll` from returning at once for a pipe that has nothing any more.
  private func silence(_ index: Int) {
    Glibc.close(programs[index].output)
    // Safe: the path is a constant text. A descriptor that never has anything to read.
    programs[index].output = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
  }

  private func readSignals() {
    var bytes = [UInt8](repeating: 0, count: 64)
    // Safe: the kernel writes at most as many bytes as the array has.
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(signals, $0.baseAddress!, $0.count) }
    for byte in bytes.prefix(max(0, count)) {
      if Int32(byte) == SIGCHLD { reap() } else { ready.append(.signal) }
    }
  }
}

/// Signals as bytes in a pipe: a thread waits for them, which no handler interrupts.
private enum SignalPipe {
  /// The reading end. Once in a process: the signals are blocked from here on.
  static func open() throws(FileFailure) -> Int32 {
    var set = sigset_t()
    // Safe: the set is filled before it is used.
    unsafe sigemptyset(&set)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGCHLD] { unsafe sigaddset(&set, number) }
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    var ends: [Int32] = [-1, -1]
    // Safe: the kernel writes two numbers.
    guard unsafe pipe(&ends) == 0 else { throw FileFailure("no pipe can be made (errno \(errno))") }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    let writing = ends[1]
    let waited = set
    OSThread("signals") {
      var set = waited
      var number: Int32 = 0
      while true {
        // Safe: both live through the call.
        guard unsafe sigwait(&set, &number) == 0 else { continue }
        var byte = UInt8(truncatingIfNeeded: number)
        // Safe: one byte is written. A full pipe has told enough.
        _ = unsafe Glibc.write(writing, &byte, 1)
      }
    }.leave()
    return ends[0]
  }
}

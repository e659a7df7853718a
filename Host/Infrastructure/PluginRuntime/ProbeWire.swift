import Kernel

/// What the host asks of a probe, and what it hears back: two messages between processes of one binary.
enum ProbeWire {
  struct Order: Equatable {
    var path: String
    var config: [UInt8]
    var sealed: [UInt8]?
    var deadlineMilliseconds: Int64
    var manifestBytes: Int
    var limits: ProcessLimits

    func encoded() -> [UInt8] {
      let text = Arena()
      text.append(
        json: [
          "path": .string(path), "sealed": .bool(sealed != nil),
          "deadline_ms": .integer(deadlineMilliseconds),
          "manifest_bytes": .integer(Int64(manifestBytes)), "cpu_s": .integer(Int64(limits.cpuSeconds)),
          "address_space_bytes": .integer(Int64(limits.addressSpaceBytes)),
          "data_bytes": .integer(Int64(limits.dataBytes)), "file_bytes": .integer(Int64(limits.fileBytes)),
          "open_files": .integer(Int64(limits.openFiles)),
        ])
      return Parts.encode([Array(text.span(text.all)), config, sealed ?? []])
    }

    init?(_ bytes: [UInt8]) {
      guard let parts = Parts.decode(bytes, count: 3), let facts = ProbeWire.document(parts[0]),
        let path = facts["path"]?.string, let sealed = facts["sealed"]?.bool,
        let deadline = facts["deadline_ms"]?.integer, let manifestBytes = facts["manifest_bytes"]?.integer,
        let limits = ProcessLimits(facts)
      else { return nil }
      self.init(
        path: path, config: parts[1], sealed: sealed ? parts[2] : nil, deadlineMilliseconds: deadline,
        manifestBytes: Int(manifestBytes), limits: limits)
    }

    init(
      path: String, config: [UInt8], sealed: [UInt8]?, deadlineMilliseconds: Int64, manifestBytes: Int,
      limits: ProcessLimits
    ) {
      self.path = path
      self.config = config
      self.sealed = sealed
      self.deadlineMilliseconds = deadlineMilliseconds
      self.manifestBytes = manifestBytes
      self.limits = limits
    }
  }

  /// A manifest, or the refusal.
  enum Outcome: Equatable {
    case passed(manifest: [UInt8])
    case refused(Problem)

    func encoded() -> [UInt8] {
      switch self {
      case .passed(let manifest): return Parts.encode([Array("passed".utf8), manifest])
      case .refused(let problem):
        let members = Arena()
        members.append(
          json: [
            "status": .integer(Int64(problem.status)), "code": .string(problem.code),
            "detail": .string(problem.detail), "members": .object(problem.members),
          ])
        return Parts.encode([Array("refused".utf8), Array(members.span(members.all))])
      }
    }

    init?(_ bytes: [UInt8]) {
      guard let parts = Parts.decode(bytes, count: 2) else { return nil }
      switch String(decoding: parts[0], as: UTF8.self) {
      case "passed": self = .passed(manifest: parts[1])
      case "refused":
        guard let facts = ProbeWire.document(parts[1]), let status = facts["status"]?.integer,
          let code = facts["code"]?.string, let detail = facts["detail"]?.string,
          let members = facts["members"]?.object
        else { return nil }
        self = .refused(Problem(Int(status), code, detail, members: members))
      default: return nil
      }
    }
  }

  private static func document(_ bytes: [UInt8]) -> JSONValue? {
    do { return try JSONValue.parse(bytes.span) } catch { return nil }
  }

  /// What a probed plugin may use of the machine; 0 leaves a limit as it is.
  struct ProcessLimits: Equatable {
    var cpuSeconds: Int
    var addressSpaceBytes: Int
    var dataBytes: Int
    var fileBytes: Int
    var openFiles: Int
  }

  /// Byte strings behind a mark, each after its length: complete, or nothing.
  enum Parts {
    private static let mark = Array("council-probe-1\n".utf8)

    static func encode(_ parts: [[UInt8]]) -> [UInt8] {
      var all = mark
      for part in parts {
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
          all.append(UInt8(truncatingIfNeeded: UInt64(part.count) >> shift))
        }
        all += part
      }
      return all
    }

    static func decode(_ bytes: [UInt8], count: Int) -> [[UInt8]]? {
      guard bytes.starts(with: mark) else { return nil }
      var rest = bytes[mark.count...]
      var parts: [[UInt8]] = []
      for _ in 0..<count {
        guard rest.count >= 8 else { return nil }
        var length: UInt64 = 0
        for byte in rest.prefix(8).reversed() { length = length << 8 | UInt64(byte) }
        rest = rest.dropFirst(8)
        guard length <= UInt64(rest.count) else { return nil }
        parts.append(Array(rest.prefix(Int(length))))
        rest = rest.dropFirst(Int(length))
      }
      return rest.isEmpty ? parts : nil
    }
  }
}

extension ProbeWire.ProcessLimits {
  init?(_ facts: JSONValue) {
    guard let cpu = facts["cpu_s"]?.integer, let space = facts["address_space_bytes"]?.integer,
      let data = facts["data_bytes"]?.integer, let file = facts["file_bytes"]?.integer,
      let files = facts["open_files"]?.integer
    else { return nil }
    self.init(
      cpuSeconds: Int(cpu), addressSpaceBytes: Int(space), dataBytes: Int(data), fileBytes: Int(file),
      openFiles: Int(files))
  }
}

/// What a probe was doing; a process that dies is named with it.
enum ProbePhase: UInt64 {
  case preparing
  /// dlopen: relocations, ifunc resolvers, constructors.
  case mapping
  case entry, manifest, create, stop, destroy
}

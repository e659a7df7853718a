/// What the headers of an ELF file say, as values for ``ElfRules`` to judge.
enum Elf {
  struct Header {
    var type: UInt16
    var machine: UInt16
    var segmentOffset: UInt64
    var segmentEntryBytes: Int
    var segmentCount: Int
    var sectionOffset: UInt64
    var sectionEntryBytes: Int
    var sectionCount: Int
    var sectionNames: Int
  }

  struct Segment {
    var type: UInt32
    var flags: UInt32
    var offset: UInt64
    var address: UInt64
    var fileBytes: UInt64
    var memoryBytes: UInt64
    var alignment: UInt64

    static let load: UInt32 = 1
    static let dynamic: UInt32 = 2
    static let interpreter: UInt32 = 3
    static let stack: UInt32 = 0x6474_E551
    static let executable: UInt32 = 1
    static let writable: UInt32 = 2
  }

  struct Section {
    var name: String
    var type: UInt32
    var flags: UInt64
    var offset: UInt64
    var bytes: UInt64

    static let noBits: UInt32 = 8
  }

  /// The table that the dynamic loader works from.
  struct Dynamic {
    var entries: [(tag: Int64, value: UInt64)]

    static let needed: Int64 = 1
    static let hash: Int64 = 4
    static let strings: Int64 = 5
    static let symbols: Int64 = 6
    static let stringBytes: Int64 = 10
    static let soname: Int64 = 14
    static let rpath: Int64 = 15
    static let textRelocations: Int64 = 22
    static let flags: Int64 = 30
    static let runpath: Int64 = 29
    static let gnuHash: Int64 = 0x6FFF_FEF5
    static let flags1: Int64 = 0x6FFF_FFFB

    subscript(tag: Int64) -> UInt64? { entries.first { $0.tag == tag }?.value }

    func all(_ tag: Int64) -> [UInt64] { entries.filter { $0.tag == tag }.map(\.value) }
  }

  struct Symbol {
    var name: String
    var binding: UInt8
    var type: UInt8
    var isDefined: Bool

    static let unique: UInt8 = 10
    static let function: UInt8 = 2
  }

  static let sharedObject: UInt16 = 3
  static let executable: UInt16 = 2
  static let sectionBytes = 64
  static let segmentBytes = 56

  /// What this host can run.
  static var hostMachine: UInt16 {
    #if arch(x86_64)
      62
    #elseif arch(arm64)
      183
    #else
      #error("the machine number of this architecture is missing")
    #endif
  }

  static func machineName(_ machine: UInt16) -> String {
    switch machine {
    case 3: "x86 (32 bits)"
    case 40: "ARM (32 bits)"
    case 62: "x86-64"
    case 183: "AArch64"
    case 243: "RISC-V"
    default: "machine \(machine)"
    }
  }
}

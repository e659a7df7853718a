import CCouncil
import CPlugins
import Glibc
import Kernel

/// A plugin's code in this process: mapped once, never unmapped.
@safe
struct PluginImage: @unchecked Sendable {
  // The table is frozen once the entry returned it and stays mapped: that is what makes this Sendable.
  private let table: UnsafePointer<council_plugin_v1>

  /// Maps the file and runs its constructors. `path` is absolute, and no image has been mapped from it.
  static func map(_ path: String, _ step: Step) throws(Problem) -> MappedFile {
    guard !isMapped(path) else {
      throw refusal(
        step, "load.mapped", "The file is mapped already: the loader would give its old code again.",
        status: 409)
    }
    // Safe: the path is lent for the call. Constructors run; the probe has seen them return.
    guard let handle = unsafe path.withCString({ unsafe dlopen($0, RTLD_NOW | RTLD_LOCAL | nodelete) }) else {
      let text = unsafe dlerror().map { unsafe String(cString: $0) } ?? "no reason given"
      throw LoaderMessage.refusal(text, path, step)
    }
    return unsafe MappedFile(handle: handle)
  }

  /// Calls the entry and checks its table, field by field.
  init(_ file: MappedFile, _ step: Step) throws(Problem) {
    // Safe: the name is a C string; the answer is an address or NULL.
    guard let symbol = unsafe dlsym(file.handle, ValidateFile.entry) else {
      throw refusal(step, "abi.no_entry", "The file does not export \(ValidateFile.entry).")
    }
    // dlsym looks into needed libraries as well: an entry found there is another plugin's.
    guard let own = unsafe cplugins_path_of(file.handle), let holder = unsafe cplugins_image_of(symbol),
      unsafe strcmp(own, holder) == 0
    else {
      throw refusal(step, "abi.no_entry", "\(ValidateFile.entry) is a needed library's, not the file's own.")
    }
    // Safe: VALIDATE found a function of this name, and the contract gives its type.
    let entry = unsafe unsafeBitCast(symbol, to: council_plugin_entry_fn_v1.self)
    guard let table = unsafe entry() else {
      throw refusal(step, "abi.null_table", "\(ValidateFile.entry) returned NULL.")
    }
    unsafe try PluginImage.check(table, step)
    unsafe self.table = table
  }

  private static func check(_ table: UnsafePointer<council_plugin_v1>, _ step: Step) throws(Problem) {
    // The major comes first: another one may have another table behind it.
    let major = unsafe table.pointee.abi_major
    guard major == COUNCIL_ABI_MAJOR else {
      throw refusal(
        step, "abi.major", "The plugin was built for ABI major \(major); this host has \(COUNCIL_ABI_MAJOR).",
        ["plugin_abi_major": .integer(Int64(major)), "host_abi_major": .integer(Int64(COUNCIL_ABI_MAJOR))])
    }
    let minor = unsafe table.pointee.min_host_minor
    guard minor <= COUNCIL_ABI_MINOR else {
      throw refusal(
        step, "abi.min_host_minor",
        "The plugin needs a host of ABI minor \(minor) or newer; this host has \(COUNCIL_ABI_MINOR).",
        [
          "plugin_min_host_minor": .integer(Int64(minor)),
          "host_abi_minor": .integer(Int64(COUNCIL_ABI_MINOR)),
        ])
    }
    let members: [(name: String, isNull: Bool)] = unsafe [
      ("manifest", table.pointee.manifest == nil), ("create", table.pointee.create == nil),
      ("activate", table.pointee.activate == nil), ("handle", table.pointee.handle == nil),
      ("cancel", table.pointee.cancel == nil), ("quiesce", table.pointee.quiesce == nil),
      ("stop", table.pointee.stop == nil), ("destroy", table.pointee.destroy == nil),
      ("get_extension", table.pointee.get_extension == nil),
    ]
    let missing = members.filter(\.isNull).map(\.name)
    guard missing.isEmpty else {
      throw refusal(
        step, "abi.null_member", "Members of the table are NULL: \(missing.joined(separator: ", ")).",
        ["members": .array(missing.map { .string($0) })])
    }
  }

  /// The manifest, copied, after what this target asks of it was checked.
  func manifest(maxBytes: Int, sealed: [UInt8]?, _ step: Step) throws(Problem) -> [UInt8] {
    // Safe: `check` found the member; the view's bytes stay while the image is mapped.
    let view = unsafe table.pointee.manifest()
    guard let bytes = unsafe view.bytes else {
      throw refusal(step, "manifest.no_bytes", "The manifest has a length and no bytes.")
    }
    guard bytes.count <= maxBytes else { throw ManifestRules.tooLarge(bytes.count, maxBytes, step) }
    let copy = unsafe Array(bytes)
    try ManifestRules.check(copy.span, maxBytes: maxBytes, step)
    let again = unsafe table.pointee.manifest()
    guard let sameBytes = unsafe again.bytes, unsafe sameBytes.elementsEqual(copy) else {
      throw refusal(step, "manifest.unstable", "The manifest is not the same at each call.")
    }
    try ManifestRules.check(copy, sealed: sealed, step)
    return copy
  }

  // MARK: The life of an instance. The caller keeps the order that council.h gives.

  /// `instance` is written on COUNCIL_OK only.
  func create(
    _ host: HostContext, _ config: [UInt8], into instance: inout Instance
  ) -> council_status {
    var own: UnsafeMutableRawPointer?
    host.listen()
    // Safe: the config is lent for the call; the host's table is never freed.
    let status = unsafe config.withUnsafeBufferPointer { bytes in
      unsafe table.pointee.create(
        host.table, council_view_v1(ptr: bytes.baseAddress, len: bytes.count), &own)
    }
    if status == Status.ok { unsafe instance = Instance(own) }
    return status
  }

  // Safe, all of these: `check` found the members, and the instance is the plugin's own.
  func activate(_ instance: Instance) -> council_status { unsafe table.pointee.activate(instance.own) }
  func quiesce(_ instance: Instance) { unsafe table.pointee.quiesce(instance.own) }
  func stop(_ instance: Instance) -> council_status { unsafe table.pointee.stop(instance.own) }
  func destroy(_ instance: Instance) { unsafe table.pointee.destroy(instance.own) }
  func cancel(_ instance: Instance, _ request: UInt64) { unsafe table.pointee.cancel(instance.own, request) }

  /// The image stays mapped, but nobody will call it again: its code need not stay in memory.
  func retire() {
    // The table may be the plugin's memory; its code is in the image.
    unsafe RetiredImages.add(unsafeBitCast(table.pointee.destroy, to: UnsafeRawPointer.self))
  }

  @inline(__always)
  func handle(_ instance: Instance, _ route: UInt32, _ request: UInt64) -> council_status {
    unsafe table.pointee.handle(instance.own, route, request)
  }
}

/// What `create` made: the plugin's own pointer, which may be NULL.
@safe
struct Instance: @unchecked Sendable {
  // Opaque to the host, which only passes it back.
  fileprivate let own: UnsafeMutableRawPointer?

  init() { unsafe own = nil }
  fileprivate init(_ own: UnsafeMutableRawPointer?) { unsafe self.own = own }
}

/// A file that dlopen mapped.
@safe
struct MappedFile: @unchecked Sendable {
  // An address that dlopen gave and that is never closed.
  fileprivate let handle: UnsafeMutableRawPointer

  fileprivate init(handle: UnsafeMutableRawPointer) { unsafe self.handle = handle }
}

/// RTLD_NODELETE of glibc, which Swift's importer does not see.
private let nodelete: Int32 = 0x01000

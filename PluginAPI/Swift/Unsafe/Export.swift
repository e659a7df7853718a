public import CCouncil

/// What the entry function of a plugin returns: the table of `council.h`.
public typealias PluginTable = UnsafePointer<council_plugin_v1>

/// Makes an automation the plugin of this image. The one line that a plugin has beside its automation:
///
/// ```swift
/// @c(council_plugin_entry_v1) public func entry() -> PluginTable { export(Accounts.self) }
/// ```
///
/// Returns the same table at each call. A later call with another type, as tests make them, has the table's
/// `manifest` and `create` stand for that type; instances that exist go on.
@safe public func export<A: Automation>(_ automation: A.Type) -> PluginTable {
  exported.withLock { exported in
    let id = ObjectIdentifier(automation)
    exported.current = exported.known[id] ?? Exported(automation)
    exported.known[id] = exported.current
  }
  // Safe: the host reads the table as the contract has it; a plugin's author only passes it on.
  return unsafe table.pointer
}

/// An automation that can be made without knowing its type.
private final class Exported: Sendable {
  let make: @Sendable (_ in: Host, _ config: [UInt8]) throws -> Instance
  let id: String
  private let document: @Sendable () throws -> JSON
  private let manifest = Guarded<StaticBytes?>(nil)

  init<A: Automation>(_ type: A.Type) {
    id = A.id
    document = { try Manifest.document(of: type) }
    make = { host, config in
      let declarations = Declarations(host: host, config: config)
      let automation = try Declarations.$current.withValue(declarations) { try A() }
      if let fault = declarations.all.fault { throw fault }
      return Instance(automation, in: host)
    }
  }

  /// The manifest, the same bytes at each call. An automation whose `init` throws states that instead, which every
  /// host refuses by name.
  var manifestBytes: StaticBytes {
    manifest.withLock { manifest in
      if let manifest { return manifest }
      let text: JSON
      do { text = try document() } catch { text = ["error": .string("\(error)")] }
      let bytes = StaticBytes(text.bytes)
      manifest = bytes
      return bytes
    }
  }
}

/// Bytes that stay until the process ends, as the manifest must.
@safe private struct StaticBytes: @unchecked Sendable {
  let view: council_view_v1

  init(_ bytes: [UInt8]) {
    // Safe: allocated for exactly these bytes, never written again, never freed.
    let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = unsafe memory.initialize(from: bytes)
    unsafe view = council_view_v1(ptr: UnsafePointer(memory.baseAddress), len: memory.count)
  }
}

private struct Exports: Sendable {
  var current: Exported?
  var known: [ObjectIdentifier: Exported] = [:]
}

private let exported = Guarded(Exports())

/// The table, allocated once and never changed.
// Safe to share: it is written before it is published, and only read after.
@safe private struct Table: @unchecked Sendable {
  let pointer: PluginTable

  init() {
    let memory = UnsafeMutablePointer<council_plugin_v1>.allocate(capacity: 1)
    unsafe memory.initialize(
      to: council_plugin_v1(
        abi_major: COUNCIL_ABI_MAJOR, min_host_minor: 0, manifest: manifest, create: create,
        activate: activate, handle: handle, cancel: cancel, quiesce: quiesce, stop: stop, destroy: destroy,
        get_extension: getExtension))
    unsafe pointer = PluginTable(memory)
  }
}

private let table = Table()

// MARK: - The functions of the table. None of them lets an error out.

private func manifest() -> council_view_v1 {
  unsafe exported.withLock { $0.current }?.manifestBytes.view ?? council_view_v1()
}

private func create(
  _ host: UnsafePointer<council_host_v1>?, _ config: council_view_v1,
  _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> council_status {
  guard let host = unsafe host, let out = unsafe out, let current = exported.withLock({ $0.current }) else {
    return status(COUNCIL_INVALID)
  }
  unsafe out.pointee = nil
  guard let wrapped = unsafe Host(host, automation: current.id) else { return status(COUNCIL_UNSUPPORTED) }
  // Safe: the configuration is borrowed for this call, and copied.
  let config = unsafe Array(UnsafeBufferPointer(start: config.ptr, count: config.len))
  do {
    let instance = try current.make(wrapped, config)
    unsafe out.pointee = Unmanaged.passRetained(instance).toOpaque()
    return status(COUNCIL_OK)
  } catch {
    wrapped.fail(reason(of: error))
    return status(COUNCIL_INTERNAL)
  }
}

private func activate(_ instance: UnsafeMutableRawPointer?) -> council_status {
  unsafe with(instance) { instance in
    do {
      try instance.activate()
      return status(COUNCIL_OK)
    } catch {
      instance.fail(reason(of: error))
      return status(COUNCIL_INTERNAL)
    }
  } ?? status(COUNCIL_INVALID)
}

private func handle(
  _ instance: UnsafeMutableRawPointer?, _ route: UInt32, _ request: council_request
) -> council_status {
  unsafe with(instance) { instance in
    status(instance.handle(Int(route), request) ? COUNCIL_OK : COUNCIL_PENDING)
  } ?? status(COUNCIL_INVALID)
}

private func cancel(_ instance: UnsafeMutableRawPointer?, _ request: council_request) {
  unsafe with(instance) { $0.cancel(request) }
}

private func quiesce(_ instance: UnsafeMutableRawPointer?) {
  unsafe with(instance) { $0.quiesce() }
}

private func stop(_ instance: UnsafeMutableRawPointer?) -> council_status {
  unsafe with(instance) { instance in
    do { return status(try instance.stop() ? COUNCIL_OK : COUNCIL_TIMEOUT) } catch {
      instance.log("The automation failed to stop: \(error)")
      return status(COUNCIL_INTERNAL)
    }
  } ?? status(COUNCIL_INVALID)
}

private func destroy(_ instance: UnsafeMutableRawPointer?) {
  guard let instance = unsafe instance else { return }
  // Safe: the host destroys once what create retained, with nothing in flight.
  unsafe Unmanaged<Instance>.fromOpaque(instance).takeRetainedValue().close()
}

private func getExtension(_ instance: UnsafeMutableRawPointer?, _ id: UnsafePointer<CChar>?)
  -> UnsafeRawPointer?
{
  nil
}

@discardableResult
private func with<R>(_ instance: UnsafeMutableRawPointer?, _ body: (Instance) -> R) -> R? {
  guard let instance = unsafe instance else { return nil }
  // Safe: the pointer is what create retained, and destroy comes last.
  return unsafe Unmanaged<Instance>.fromOpaque(instance)._withUnsafeGuaranteedRef { body($0) }
}

private func reason(of error: any Error) -> String {
  switch error {
  case let error as ProblemError: error.detail
  default: "\(error)"
  }
}

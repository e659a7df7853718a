/// One route's handler, as an instance calls it.
final class Endpoint: Sendable {
  /// Of an asynchronous route, one that only throws. Not optional: unwrapping would count a reference.
  let immediate: Route.Immediate
  let deferred: Route.Deferred?
  let streaming: Route.Streaming?
  /// Starts a task.
  let isDeferred: Bool
  let isGet: Bool
  let parameterNames: [String]

  init(_ route: Route) {
    switch route.handler {
    case .immediate(let handler): (immediate, deferred, streaming) = (handler, nil, nil)
    case .deferred(let handler): (immediate, deferred, streaming) = (Endpoint.never, handler, nil)
    case .streaming(let handler): (immediate, deferred, streaming) = (Endpoint.never, nil, handler)
    }
    isDeferred = deferred != nil || streaming != nil
    isGet = route.method == "GET"
    parameterNames = route.parameterNames
  }

  private static let never: Route.Immediate = { _ in throw CancellationError() }
}

/// The endpoints of an instance, by the number of their route.
///
/// Looked up without counting references: all cores would change the same counts with every request.
// Safe to share: written once, in init; the endpoints are immutable.
@safe final class Endpoints: @unchecked Sendable {
  private let all: UnsafeMutableBufferPointer<Unmanaged<Endpoint>>

  init(_ routes: [Route]) {
    unsafe all = .allocate(capacity: routes.count)
    _ = unsafe all.initialize(from: routes.map { unsafe Unmanaged.passRetained(Endpoint($0)) })
  }

  deinit {
    // Safe: retained once in init.
    for index in unsafe all.indices { unsafe all[index].release() }
    unsafe all.deallocate()
  }

  /// nil when there is no such route.
  func with<R>(_ route: Int, _ body: (Endpoint) -> R) -> R? {
    guard route >= 0, unsafe route < all.count else { return nil }
    // Safe: the index was checked, and self keeps the endpoint for the time of the call.
    return unsafe all[route]._withUnsafeGuaranteedRef { body($0) }
  }
}

// swift-format-ignore-file: AlwaysUseLowerCamelCase
// HTTP spells its methods like this, and a route reads as in its documents.

// One function per method, each with an immediate and an asynchronous handler.
//
// An immediate handler runs on a worker thread, where it may block, or with `.inline()` on the event thread. An
// asynchronous one becomes a task, which is cancelled when the client leaves or the deadline passes; its request was
// copied, so it can be read at any time. One that returns an ``EventStream`` is asynchronous, and goes on after it returned.

/// A route that reads. HEAD is answered from it too. `path` stands below the automation's root: `/`, `/{id}`, `/{id}/entries`.
public func GET<A: Answer>(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) throws -> A
) -> Route {
  Route("GET", path, summary, .immediate { try handler($0).response(to: $0) }, A.status)
}

/// A route that reads. HEAD is answered from it too. The handler runs as a task.
public func GET<A: Answer>(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) async throws -> A
) -> Route {
  Route("GET", path, summary, .deferred { try await handler($0).response(to: $0) }, A.status)
}

/// A route that is followed: it answers with events, for as long as its stream's body runs. `path` stands below the automation's root: `/`, `/{id}`, `/{id}/entries`.
public func GET(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) async throws -> EventStream
) -> Route {
  Route("GET", path, summary, .streaming(handler))
}

/// A route that creates or acts. `path` stands below the automation's root: `/`, `/{id}`, `/{id}/entries`.
public func POST<A: Answer>(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) throws -> A
) -> Route {
  Route("POST", path, summary, .immediate { try handler($0).response(to: $0) }, A.status)
}

/// A route that creates or acts. The handler runs as a task.
public func POST<A: Answer>(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) async throws -> A
) -> Route {
  Route("POST", path, summary, .deferred { try await handler($0).response(to: $0) }, A.status)
}

/// A route that acts and tells how it goes: it answers with events. `path` stands below the automation's root: `/`, `/{id}`, `/{id}/entries`.
public func POST(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) async throws -> EventStream
) -> Route {
  Route("POST", path, summary, .streaming(handler))
}

/// A route that replaces. `path` stands below the automation's root: `/`, `/{id}`, `/{id}/entries`.
public func PUT<A: Answer>(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) throws -> A
) -> Route {
  Route("PUT", path, summary, .immediate { try handler($0).response(to: $0) }, A.status)
}

/// A route that replaces. The handler runs as a task.
public func PUT<A: Answer>(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) async throws -> A
) -> Route {
  Route("PUT", path, summary, .deferred { try await handler($0).response(to: $0) }, A.status)
}

/// A route that changes. `path` stands below the automation's root: `/`, `/{id}`, `/{id}/entries`.
public func PATCH<A: Answer>(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) throws -> A
) -> Route {
  Route("PATCH", path, summary, .immediate { try handler($0).response(to: $0) }, A.status)
}

/// A route that changes. The handler runs as a task.
public func PATCH<A: Answer>(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) async throws -> A
) -> Route {
  Route("PATCH", path, summary, .deferred { try await handler($0).response(to: $0) }, A.status)
}

/// A route that deletes. `path` stands below the automation's root: `/`, `/{id}`, `/{id}/entries`.
public func DELETE<A: Answer>(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) throws -> A
) -> Route {
  Route("DELETE", path, summary, .immediate { try handler($0).response(to: $0) }, A.status)
}

/// A route that deletes. The handler runs as a task.
public func DELETE<A: Answer>(
  _ path: String, _ summary: String, _ handler: @escaping @Sendable (Request) async throws -> A
) -> Route {
  Route("DELETE", path, summary, .deferred { try await handler($0).response(to: $0) }, A.status)
}

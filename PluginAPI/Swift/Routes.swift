/// The routes of an automation, as a block lists them.
public struct Routes: Sendable {
  let all: [Route]
}

/// Collects routes; `if`, `for` and `switch` work in the block.
@resultBuilder
public enum RoutesBuilder {
  public static func buildExpression(_ route: Route) -> [Route] { [route] }
  public static func buildExpression(_ routes: Routes) -> [Route] { routes.all }
  public static func buildBlock(_ parts: [Route]...) -> [Route] { parts.flatMap { $0 } }
  public static func buildOptional(_ part: [Route]?) -> [Route] { part ?? [] }
  public static func buildEither(first part: [Route]) -> [Route] { part }
  public static func buildEither(second part: [Route]) -> [Route] { part }
  public static func buildArray(_ parts: [[Route]]) -> [Route] { parts.flatMap { $0 } }
  public static func buildFinalResult(_ routes: [Route]) -> Routes { Routes(all: routes) }
}

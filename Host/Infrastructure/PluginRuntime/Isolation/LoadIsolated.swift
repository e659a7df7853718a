package import Application
package import Domain
package import Kernel

/// The step LOAD, where the admin wants it: in this process, or in runners.
package final class LoadByIsolation: PluginLoader {
  private let inProcess: LoadPlugin
  private let exchanges: any ExchangeTable
  private let desk: RecordsDesk
  private let settings: RunnerSettings

  package init(
    inProcess: LoadPlugin, exchanges: any ExchangeTable, desk: RecordsDesk, runners: RunnerSettings
  ) {
    self.inProcess = inProcess
    self.exchanges = exchanges
    self.desk = desk
    settings = runners
  }

  package func load(path: String, isolation: Isolation) throws(Problem) -> any LoadedPlugin {
    switch isolation {
    case .inProcess: try inProcess.load(path: path)
    case .process(let runners): try isolated(path, runners)
    }
  }

  package func isolated(_ path: String, _ count: Int) throws(Problem) -> IsolatedPlugin {
    var runners: [Runner] = []
    do throws(Problem) {
      var manifest: [UInt8] = []
      for _ in 0..<count {
        let runner = try Runner(path, settings, exchanges: exchanges, desk: desk)
        runners.append(runner)
        let own = try runner.command(.load, runner.loadOrder)
        guard manifest.isEmpty || own == manifest else {
          throw refusal(.load, "manifest.unstable", "The manifest is not the same in each runner.")
        }
        manifest = own
      }
      return IsolatedPlugin(runners, manifest: manifest)
    } catch {
      for runner in runners { runner.end() }
      throw error
    }
  }
}

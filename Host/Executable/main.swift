import CommandLineInterface
import PluginRuntime

// A probe is this binary again. Nothing may run before it: what it tries is not trusted yet.
if CommandLine.arguments.dropFirst().first == ProbeMain.argument { ProbeMain.run() }
// So is a runner, which locks itself in first.
if CommandLine.arguments.dropFirst().first == RunnerMain.argument {
  RunnerMain.run(Array(CommandLine.arguments.dropFirst(2)))
}

let app = CommandLineApp(services: Services.make(environment: Environment.all))
Signals.exitNow(app.run(Array(CommandLine.arguments.dropFirst())))

import CommandLineInterface
import PluginRuntime

// A probe is this binary again. Nothing may run before it: what it tries is not trusted yet.
if CommandLine.arguments.dropFirst().first == ProbeMain.argument { ProbeMain.run() }

let app = CommandLineApp(services: Services.make(environment: Environment.all))
Signals.exitNow(app.run(Array(CommandLine.arguments.dropFirst())))

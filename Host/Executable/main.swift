import CommandLineInterface
import PluginRuntime

// A probe is this binary again. Nothing may run before it: what it tries is not trusted yet.
if CommandLine.arguments.dropFirst().first == ProbeMain.argument { ProbeMain.run() }
// So is a runner, which locks itself in first.
if CommandLine.arguments.dropFirst().first == RunnerMain.argument {
  RunnerMain.run(Array(CommandLine.arguments.dropFirst(2)))
}

let isHost = CommandLine.arguments.dropFirst().first == HostCommandLine.word
let words = isHost ? ["serve"] + CommandLine.arguments.dropFirst(2) : Array(CommandLine.arguments.dropFirst())
let app = CommandLineApp(services: Services.make(environment: Environment.all, isHost: isHost))
Signals.exitNow(app.run(words))

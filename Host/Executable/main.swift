import PluginRuntime

// A probe is this binary again. Nothing may run before it: what it tries is not trusted yet.
if CommandLine.arguments.dropFirst().first == ProbeMain.argument { ProbeMain.run() }

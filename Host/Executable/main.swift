import Kernel
import PluginRuntime

// A probe is this binary again. Nothing may run before it: what it tries is not trusted yet.
if CommandLine.arguments.dropFirst().first == ProbeMain.argument { ProbeMain.run() }

var settings = HostSettings()
settings.home = "/tmp/council-home"
settings.firstKeys = "/tmp/council-home/keys"
settings.load = Array(CommandLine.arguments.dropFirst())
try HostProcess(settings: settings).run()

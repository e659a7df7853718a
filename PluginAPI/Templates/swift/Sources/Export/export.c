// Nothing to compile: a shared library that has this target among its own is linked with the settings that
// Package.swift gives it. They are not on the plugin's code, so that tests can link that code without them.
typedef int council_plugin_linking;

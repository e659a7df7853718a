__attribute__((visibility("default"))) int council_plugin_entry_v1 = 7;

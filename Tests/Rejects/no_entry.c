int council_something_else(void) { return 0; }

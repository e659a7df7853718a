/* A library that plugins need: as it was when they were linked, or with ANOTHER as it is when they are loaded. */
int rejects_dependency(void) { return 1; }

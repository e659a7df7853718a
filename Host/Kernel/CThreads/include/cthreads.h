/* What Swift cannot say about threads: variables of one thread, and a dense number for each. */
#pragma once
#include <stdint.h>

/* How many threads can hold a number at a time; a thread beyond that gets CTHREADS_NO_NUMBER. */
#define CTHREADS_MAX 1024u
#define CTHREADS_NO_NUMBER UINT32_MAX

/* The calling thread's number, the same at each call; given to another thread after this one ends. */
uint32_t cthreads_number(void);

/* Roughly where the calling thread's stack ends now; it grows towards lower addresses. */
static inline uintptr_t cthreads_stack_position(void) { return (uintptr_t)__builtin_frame_address(0); }

/* Names the calling thread for debuggers and /proc (15 bytes are kept). */
void cthreads_set_name(const char *name);

/* The calling thread's number in /proc. */
int32_t cthreads_id(void);

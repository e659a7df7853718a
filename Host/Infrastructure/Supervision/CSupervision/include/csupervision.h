/* What the supervisor and its hosts need of the system that Swift cannot say. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Blocks TERM, INT, HUP and USR2 for this thread, and gives a descriptor that they can be read from; or -1. */
int csupervision_signals(void);
/* The next signal that waits, 0 when there is none. */
int csupervision_next_signal(int fd);

/* Two ends of a channel that keeps messages apart; neither is inherited. False: errno says why. */
bool csupervision_channel(int *ours, int *theirs);

/* A file in memory that is not inherited, or -1. */
int csupervision_memory_file(void);

/* Gives back memory that the process can read again from its files, and what the heap does not use. */
void csupervision_release_memory(void);

/* "SEGV" for 11; NULL for what is no signal. */
const char *csupervision_signal_name(int signal);

/* Writes the names of the functions at these addresses of an ELF file, as it was linked, to `names`: `room` bytes each,
 * with a NUL, empty where the file does not tell. Reads at most `most` bytes of its symbol table, and believes none of
 * its numbers. */
void csupervision_symbols(const char *path, const uint64_t *addresses, size_t count, char *names, size_t room,
                          size_t most);

/* Whether a process is stopped or traced, as /proc says. */
bool csupervision_is_stopped(pid_t process);

/* Whether a line can be written to a descriptor without waiting. */
bool csupervision_is_writable(int fd);

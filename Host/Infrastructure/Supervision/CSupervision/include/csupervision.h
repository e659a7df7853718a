/* What the supervisor and its hosts need of the system that Swift cannot say. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
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

/* Whether a line can be written to a descriptor without waiting. */
bool csupervision_is_writable(int fd);

#define _GNU_SOURCE
#include "cthreads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static _Thread_local uint32_t number = CTHREADS_NO_NUMBER;
static _Thread_local int asked = 0;
static atomic_uint_fast64_t taken[CTHREADS_MAX / 64];
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The key's value is the number plus one: a destructor is not called for NULL. */
static void give_back(void *value) {
  uint32_t mine = (uint32_t)(uintptr_t)value - 1;
  atomic_fetch_and(&taken[mine / 64], ~(UINT64_C(1) << (mine % 64)));
}

static void make_key(void) { pthread_key_create(&at_exit, give_back); }

static uint32_t take(void) {
  pthread_once(&once, make_key);
  for (uint32_t word = 0; word < CTHREADS_MAX / 64; word++) {
    uint_fast64_t bits = atomic_load(&taken[word]);
    while (bits != UINT64_MAX) {
      uint32_t bit = (uint32_t)__builtin_ctzll(~bits);
      if (atomic_compare_exchange_weak(&taken[word], &bits, bits | (UINT64_C(1) << bit))) {
        uint32_t mine = word * 64 + bit;
        pthread_setspecific(at_exit, (void *)(uintptr_t)(mine + 1));
        return mine;
      }
    }
  }
  return CTHREADS_NO_NUMBER;
}

uint32_t cthreads_number(void) {
  if (!asked) {
    asked = 1;
    number = take();
  }
  return number;
}

void cthreads_set_name(const char *name) {
  char kept[16];
  int i = 0;
  for (; i < 15 && name[i]; i++) kept[i] = name[i];
  kept[i] = 0;
  pthread_setname_np(pthread_self(), kept);
}

int32_t cthreads_id(void) { return gettid(); }

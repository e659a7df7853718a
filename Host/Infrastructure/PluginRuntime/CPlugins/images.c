#define _GNU_SOURCE
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cplugins.h"

struct search {
  uintptr_t address;
  cplugins_range *ranges;
  size_t capacity;
  size_t count;
};

static int collect(struct dl_phdr_info *info, size_t size, void *context) {
  struct search *search = context;
  (void)size;
  int holds = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    uintptr_t start = info->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_LOAD && search->address - start < segment->p_memsz) holds = 1;
  }
  if (!holds) return 0;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (int i = 0; i < info->dlpi_phnum && search->count < search->capacity; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    /* What the loader or the plugin may have written is not the file's any more. */
    if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
    uintptr_t start = (info->dlpi_addr + segment->p_vaddr) & ~(page - 1);
    uintptr_t end = (info->dlpi_addr + segment->p_vaddr + segment->p_filesz + page - 1) & ~(page - 1);
    search->ranges[search->count++] = (cplugins_range){start, end - start};
  }
  return 1;
}

size_t cplugins_clean_ranges(const void *address, cplugins_range *ranges, size_t capacity) {
  struct search search = {(uintptr_t)address, ranges, capacity, 0};
  dl_iterate_phdr(collect, &search);
  return search.count;
}

void cplugins_drop(cplugins_range range) { madvise((void *)range.start, range.bytes, MADV_DONTNEED); }

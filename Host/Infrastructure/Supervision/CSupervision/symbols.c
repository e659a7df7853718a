#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csupervision.h"

enum { symbols_at_a_time = 4096 };

static bool read_all(int file, void *out, size_t count, uint64_t from) {
  if (from > INT64_MAX - count) return false;
  size_t done = 0;
  while (done < count) {
    ssize_t got = pread(file, (char *)out + done, count - done, (off_t)(from + done));
    if (got <= 0) return false;
    done += (size_t)got;
  }
  return true;
}

/* The full table where it is, what is exported where it was stripped. */
static bool find_tables(int file, ElfW(Shdr) *symbols, ElfW(Shdr) *strings) {
  ElfW(Ehdr) head;
  if (!read_all(file, &head, sizeof head, 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)) return false;
  if (head.e_shentsize != sizeof *symbols || head.e_shnum == 0) return false;
  size_t count = head.e_shnum;
  ElfW(Shdr) *sections = calloc(count, sizeof *sections);
  if (!sections) return false;
  const ElfW(Shdr) *found = NULL;
  if (read_all(file, sections, count * sizeof *sections, head.e_shoff)) {
    for (size_t i = 0; i < count; i++) {
      if (sections[i].sh_type == SHT_DYNSYM && !found) found = &sections[i];
      if (sections[i].sh_type == SHT_SYMTAB) found = &sections[i];
    }
  }
  bool is_there = found && found->sh_entsize == sizeof(ElfW(Sym)) && found->sh_link < count;
  if (is_there) {
    *symbols = *found;
    *strings = sections[found->sh_link];
  }
  free(sections);
  return is_there;
}

static void write_name(int file, const ElfW(Shdr) *strings, uint32_t at, char *out, size_t room) {
  if (at == 0 || at >= strings->sh_size) return;
  size_t count = strings->sh_size - at < room - 1 ? strings->sh_size - at : room - 1;
  if (!read_all(file, out, count, strings->sh_offset + at)) count = 0;
  out[count] = 0;
  /* It becomes a word of a line. */
  for (char *c = out; *c; c++)
    if ((unsigned char)*c <= ' ' || *c == 127) *c = '?';
}

void csupervision_symbols(const char *path, const uint64_t *addresses, size_t count, char *names, size_t room,
                          size_t most) {
  if (count == 0 || room == 0) return;
  memset(names, 0, count * room);
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return;
  struct stat facts;
  ElfW(Shdr) symbols, strings;
  uint32_t *found = calloc(count, sizeof *found);
  ElfW(Sym) *some = malloc(symbols_at_a_time * sizeof *some);
  if (found && some && fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) &&
      find_tables(file, &symbols, &strings)) {
    size_t bytes = symbols.sh_size < most ? symbols.sh_size : most;
    size_t left = bytes / sizeof *some;
    for (uint64_t from = symbols.sh_offset; left > 0;) {
      size_t now = left < symbols_at_a_time ? left : symbols_at_a_time;
      if (!read_all(file, some, now * sizeof *some, from)) break;
      for (size_t i = 0; i < now; i++) {
        if ((some[i].st_info & 0xF) != STT_FUNC || some[i].st_shndx == SHN_UNDEF) continue;
        for (size_t n = 0; n < count; n++)
          if (addresses[n] - some[i].st_value < some[i].st_size) found[n] = some[i].st_name;
      }
      left -= now;
      from += now * sizeof *some;
    }
    for (size_t n = 0; n < count; n++) write_name(file, &strings, found[n], names + n * room, room);
  }
  free(some);
  free(found);
  close(file);
}

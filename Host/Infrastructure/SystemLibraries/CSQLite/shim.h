/* SQLite, and what Swift cannot say about it: variadic calls, and destructors that are casts. */
#pragma once
#include <sqlite3.h>

/* sqlite3_config is variadic. Without statistics, allocation takes no process-wide lock. Before the first
 * connection; SQLITE_MISUSE afterwards. */
static inline int csqlite_skip_memory_statistics(void) {
  return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* sqlite3_db_config is variadic. */
static inline int csqlite_set_flag(sqlite3 *db, int option, int on) {
  return sqlite3_db_config(db, option, on, (int *)0);
}

/* SQLITE_TRANSIENT is a cast of -1: SQLite copies the text before this returns. `text` may be NULL for 0 bytes,
 * which SQLite itself would take for SQL's NULL. */
static inline int csqlite_bind_text(sqlite3_stmt *statement, int index, const unsigned char *text,
                                    sqlite3_uint64 count) {
  return sqlite3_bind_text64(statement, index, text ? (const char *)text : "", count, SQLITE_TRANSIENT,
                             SQLITE_UTF8);
}

static inline int csqlite_bind_blob(sqlite3_stmt *statement, int index, const unsigned char *bytes,
                                    sqlite3_uint64 count) {
  return sqlite3_bind_blob64(statement, index, bytes ? (const void *)bytes : "", count, SQLITE_TRANSIENT);
}

/* Answers a function call with text, which SQLite copies. `text` may be NULL for 0 bytes. */
static inline void csqlite_result_text(sqlite3_context *context, const unsigned char *text, int count) {
  sqlite3_result_text(context, text ? (const char *)text : "", count, SQLITE_TRANSIENT);
}

/* Answers a function call with text that json_object takes for JSON (its subtype is 'J'). */
static inline void csqlite_result_json(sqlite3_context *context, const unsigned char *text, int count) {
  sqlite3_result_text(context, (const char *)text, count, SQLITE_TRANSIENT);
  sqlite3_result_subtype(context, 'J');
}

/* Whether the file of the main database itself, not its log, begins with SQLite's magic text. */
static inline int csqlite_has_header(sqlite3 *db) {
  static const char magic[16] = "SQLite format 3";
  char found[16];
  sqlite3_file *file = (sqlite3_file *)0;
  if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file || !file->pMethods ||
      file->pMethods->xRead(file, found, sizeof found, 0) != SQLITE_OK)
    return 0;
  for (unsigned i = 0; i < sizeof found; i++)
    if (found[i] != magic[i]) return 0;
  return 1;
}

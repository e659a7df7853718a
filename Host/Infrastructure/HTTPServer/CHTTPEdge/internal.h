#pragma once
#include <microhttpd.h>

#include "chttpedge.h"

/* One set of calls for the process: every server of a process is made of the same functions. */
extern chttpedge_calls chttpedge_table;

/* Looks up the library's own functions and keeps the calls of the first server. [any] before it has a
 * connection */
void chttpedge_bind(const chttpedge_calls *calls);
enum MHD_Result chttpedge_queue(struct MHD_Connection *connection, unsigned int status,
                                struct MHD_Response *response);

/* The link of a connection, or NULL. */
static inline void *chttpedge_link(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : 0;
}

static inline int chttpedge_fd(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

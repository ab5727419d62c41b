/* SPDX-License-Identifier: MIT
 *
 * What connection.c and connection_packets.c share.
 */
#ifndef VSOCK_BRIDGE_CONNECTION_INTERNAL_H
#define VSOCK_BRIDGE_CONNECTION_INTERNAL_H

#include "connection.h"

/* How many bytes the guest has room for. */
uint32_t connection_credit(const struct connection *connection);

/* Queues the connection for its turn if there is something that the guest can be sent. */
void connection_schedule(struct connection *connection);

/* The guest has to be sent this packet (OWED_...), too. */
void connection_owe(struct connection *connection, unsigned packet);

/* `size` bytes of the guest have left this process. */
void connection_account_forwarded(struct connection *connection, size_t size);

/* The client does not take any more: what is left for it is dropped, and the guest will be told. */
void connection_client_lost(struct connection *connection);

/* Gives the client as much of the backlog as it takes, then settles. */
void connection_flush(struct connection *connection);

/* Draws the conclusions from how far both directions have come. The connection may be free afterwards. */
void connection_settle(struct connection *connection);

#endif

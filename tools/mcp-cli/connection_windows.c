/* SPDX-License-Identifier: MIT
 *
 * connection.h on Windows: TCP alone.
 */
#include "connection.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include <winsock2.h>

#include <windows.h>
#include <ws2tcpip.h>

#define LOOK_MS 50 /* how often a wait looks whether Ctrl-C was pressed */

/* Windows runs the handler in a thread of its own. */
static volatile LONG interrupted;
static volatile LONG ends_program = 1;

static BOOL WINAPI on_interrupt(DWORD event)
{
    if (event != CTRL_C_EVENT || InterlockedOr(&ends_program, 0))
        return FALSE; /* to the default handler, which ends the program */
    InterlockedExchange(&interrupted, 1);
    return TRUE;
}

void interrupt_initialise(void)
{
    SetConsoleCtrlHandler(on_interrupt, TRUE);
    interrupt_ends(false);
}

void interrupt_ends(bool ends)
{
    InterlockedExchange(&ends_program, ends);
}

bool interrupt_take(void)
{
    return InterlockedExchange(&interrupted, 0) != 0;
}

double clock_exact_ms(void)
{
    LARGE_INTEGER now, frequency;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&now);
    return (double)now.QuadPart * 1e3 / (double)frequency.QuadPart;
}

int64_t clock_ms(void)
{
    return (int64_t)GetTickCount64();
}

/* The negative errno of what the other parts of mcp-cli tell apart. */
static int winsock_errno(int code)
{
    switch (code) {
    case WSAEWOULDBLOCK:
        return -EAGAIN;
    case WSAECONNRESET:
    case WSAECONNABORTED:
    case WSAESHUTDOWN:
        return -ECONNRESET;
    case WSAECONNREFUSED:
        return -ECONNREFUSED;
    case WSAETIMEDOUT:
        return -ETIMEDOUT;
    case WSAENETUNREACH:
    case WSAEHOSTUNREACH:
        return -EHOSTUNREACH;
    default:
        return -EIO;
    }
}

/* The C library of Windows has no words for errors of sockets. */
static const char *error_text(int cause)
{
    switch (cause) {
    case ECONNREFUSED:
        return "Connection refused";
    case ECONNRESET:
        return "Connection reset";
    case ETIMEDOUT:
        return "Connection timed out";
    case EHOSTUNREACH:
        return "No route to host";
    default:
        return "Winsock failed";
    }
}

/* Waits until the socket can be read or written. Returns 0, -ETIMEDOUT, -EINTR after Ctrl-C or another
 * negative errno. */
static int wait_for(SOCKET handle, bool to_write, int64_t timeout_ms)
{
    int64_t deadline = clock_ms() + timeout_ms;
    for (;;) {
        if (InterlockedOr(&interrupted, 0))
            return -EINTR;
        int64_t left = deadline - clock_ms();
        left = left < 0 ? 0 : left;
        struct timeval wait = {.tv_usec = (long)(left < LOOK_MS ? left : LOOK_MS) * 1000};
        fd_set ready, failed; /* a connection that cannot be made is an exception here */
        FD_ZERO(&ready);
        FD_ZERO(&failed);
        FD_SET(handle, &ready);
        FD_SET(handle, &failed);
        int count = select(0, to_write ? NULL : &ready, to_write ? &ready : NULL, &failed, &wait);
        if (count > 0)
            return 0;
        if (count < 0)
            return winsock_errno(WSAGetLastError());
        if (left == 0)
            return -ETIMEDOUT;
    }
}

/* One attempt. Returns 0 and a connected, non-blocking socket, or a negative errno. */
static int connect_once(const struct addrinfo *address, int64_t deadline, SOCKET *connected)
{
    SOCKET handle = socket(address->ai_family, SOCK_STREAM, IPPROTO_TCP);
    if (handle == INVALID_SOCKET)
        return winsock_errno(WSAGetLastError());
    u_long yes = 1;
    int result = 0;
    if (ioctlsocket(handle, (long)FIONBIO, &yes) != 0) {
        result = winsock_errno(WSAGetLastError());
    } else if (connect(handle, address->ai_addr, (int)address->ai_addrlen) != 0) {
        result = winsock_errno(WSAGetLastError());
        if (result == -EAGAIN)
            result = wait_for(handle, true, deadline - clock_ms());
        int cause = 0;
        int size = sizeof cause;
        if (result == 0 && getsockopt(handle, SOL_SOCKET, SO_ERROR, (char *)&cause, &size) != 0)
            result = winsock_errno(WSAGetLastError());
        if (result == 0 && cause != 0)
            result = winsock_errno(cause);
    }
    if (result != 0) {
        closesocket(handle);
        return result;
    }
    BOOL at_once = TRUE; /* one request, one answer: do not collect */
    setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, (const char *)&at_once, sizeof at_once);
    *connected = handle;
    return 0;
}

enum status connection_open(struct connection *connection, const struct endpoint *endpoint,
                            int64_t timeout_ms, struct error *error)
{
    int64_t deadline = clock_ms() + timeout_ms;
    WSADATA data;
    connection->fd = -1;
    if (endpoint->kind != ENDPOINT_TCP)
        return error_set(
            error, STATUS_CONNECTION,
            "cannot connect to %s: on Windows, mcp-cli has TCP alone. Run vsock-bridge with --tcp, "
            "and mcp-cli with --tcp HOST:PORT",
            endpoint->name);
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return error_set(error, STATUS_CONNECTION, "Winsock does not start");

    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    interrupt_ends(true); /* the resolver cannot be told to stop */
    int resolution = getaddrinfo(endpoint->host, endpoint->service, &hints, &addresses);
    interrupt_ends(false);
    SOCKET handle = INVALID_SOCKET;
    int result = -EHOSTUNREACH;
    for (const struct addrinfo *each = resolution == 0 ? addresses : NULL;
         each && result != 0 && result != -EINTR && result != -ETIMEDOUT; each = each->ai_next)
        result = connect_once(each, deadline, &handle);
    if (resolution == 0)
        freeaddrinfo(addresses);
    if (result == 0) {
        connection->fd = (int)handle; /* handles of Windows have 32 significant bits */
        return STATUS_OK;
    }
    WSACleanup();
    if (result == -EINTR && interrupt_take())
        return error_set(error, STATUS_INTERRUPTED, "interrupted");
    return error_set(error, STATUS_CONNECTION,
                     "cannot connect to %s: %s. Is vsock-bridge running with --tcp, on this address?",
                     endpoint->name, resolution ? "The name has no address" : error_text(-result));
}

void connection_close(struct connection *connection)
{
    if (connection->fd >= 0) {
        closesocket((SOCKET)connection->fd);
        WSACleanup();
    }
    connection->fd = -1;
}

ssize_t connection_receive(struct connection *connection, void *buffer, size_t size, int64_t timeout_ms)
{
    int64_t deadline = clock_ms() + timeout_ms;
    for (;;) {
        int result = wait_for((SOCKET)connection->fd, false, deadline - clock_ms());
        if (result < 0)
            return result;
        int count = recv((SOCKET)connection->fd, buffer, size < INT_MAX ? (int)size : INT_MAX, 0);
        if (count >= 0)
            return count;
        result = winsock_errno(WSAGetLastError());
        if (result != -EAGAIN)
            return result;
    }
}

int connection_send(struct connection *connection, const void *bytes, size_t length, int64_t timeout_ms)
{
    const char *next = bytes;
    while (length > 0) {
        int count = send((SOCKET)connection->fd, next, length < INT_MAX ? (int)length : INT_MAX, 0);
        if (count >= 0) {
            next += count;
            length -= (size_t)count;
            continue;
        }
        int result = winsock_errno(WSAGetLastError());
        if (result == -EAGAIN)
            result = wait_for((SOCKET)connection->fd, true, timeout_ms);
        if (result < 0)
            return result;
    }
    return 0;
}

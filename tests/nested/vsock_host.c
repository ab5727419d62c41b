/* SPDX-License-Identifier: MIT
 *
 * The host's end of connections that the guest makes, over Linux's AF_VSOCK:
 *
 *   vsock_host lines PORT      writes what comes to standard output, one connection after the other
 *   vsock_host messages PORT   sends each message of one SEQPACKET connection back
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static char buffer[1 << 18];

static int fail(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int messages = strcmp(argv[1], "messages") == 0;
    struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = (unsigned)strtoul(argv[2], NULL, 10)};
    int listener = socket(AF_VSOCK, messages ? SOCK_SEQPACKET : SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1) != 0)
        return fail("listen");
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            return fail("accept");
        ssize_t size;
        while ((size = recv(connection, buffer, sizeof buffer, 0)) > 0)
            if (messages ? send(connection, buffer, (size_t)size, 0) != size
                         : write(STDOUT_FILENO, buffer, (size_t)size) != size)
                return fail("send");
        (void)close(connection);
        if (messages)
            return size == 0 ? 0 : fail("receive");
    }
}

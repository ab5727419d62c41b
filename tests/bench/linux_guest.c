/* SPDX-License-Identifier: MIT
 *
 * The first process of the Linux guest in the `throughput` benchmark. Loads /m/LIST's modules, reads a file
 * over virtio-fs into fresh memory and again into the same memory, then takes and gives bytes over vsock
 * (streams.h) until QEMU is ended. Says what it has measured on the console.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "streams.h"

#define REQUEST (1u << 20)

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *what)
{
    printf("FAILED %s: %s\n", what, strerror(errno));
    reboot(RB_POWER_OFF);
    abort();
}

static void load_modules(void)
{
    char name[64], path[80];
    FILE *list = fopen("/m/LIST", "r");
    while (list != NULL && fscanf(list, "%63s", name) == 1) {
        snprintf(path, sizeof path, "/m/%s", name);
        int module = open(path, O_RDONLY | O_CLOEXEC);
        if (module < 0 || (syscall(SYS_finit_module, module, "", 0) != 0 && errno != EEXIST))
            fail(name);
        close(module);
    }
    if (list != NULL)
        fclose(list);
}

/* 1 MiB a request, past the page cache, as a program that loads a model would. */
static void read_file(int file, char *memory, size_t size, const char *kind)
{
    double start = seconds();
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(file, memory + done, size - done < REQUEST ? size - done : REQUEST, (off_t)done);
        if (got <= 0)
            fail("read");
        done += (size_t)got;
    }
    printf("READ %s %zu bytes in %.6f s\n", kind, done, seconds() - start);
}

static void read_files(void)
{
    if (mount("models", "/mnt", "virtiofs", MS_RDONLY, NULL) != 0)
        fail("mount");
    int file = open("/mnt/model.bin", O_RDONLY | O_DIRECT | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0)
        fail("model.bin");
    size_t size = (size_t)status.st_size;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("memory");
    read_file(file, memory, size, "fresh");
    for (int i = 0; i < 3; i++)
        read_file(file, memory, size, "touched");
    close(file);
    munmap(memory, size);
}

static void serve(int client)
{
    static uint8_t chunk[STREAMS_CHUNK];
    uint8_t order[STREAMS_ORDER_SIZE];
    if (recv(client, order, sizeof order, MSG_WAITALL) != (ssize_t)sizeof order)
        return;
    ssize_t moved = 1;
    for (uint64_t left = streams_order_count(order); left > 0 && moved > 0; left -= (uint64_t)moved) {
        size_t size = left < sizeof chunk ? (size_t)left : sizeof chunk;
        moved = order[0] == STREAMS_SINK ? read(client, chunk, size) : write(client, chunk, size);
        if (moved < 0)
            break;
    }
    if (order[0] == STREAMS_SINK && write(client, "", 1) != 1)
        return;
    (void)!read(client, chunk, 1); /* the client goes */
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    load_modules();
    read_files();
    const struct sockaddr_vm any = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = STREAMS_PORT};
    int listener = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (const struct sockaddr *)&any, sizeof any) != 0 ||
        listen(listener, 4) != 0)
        fail("vsock");
    printf("ready\n");
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            fail("accept");
        serve(client);
        close(client);
    }
}

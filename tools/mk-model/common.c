/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"

static void *take(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void give(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

const struct airt_hooks host_hooks = {.alloc = take, .free = give};

int complain(const char *format, ...)
{
    va_list arguments;

    fputs("mk-model: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return EXIT_WRONG;
}

bool model_file_open(struct model_file *file, const char *path)
{
    const char *slash = strrchr(path, '/');
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    void *mapped = MAP_FAILED;

    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        complain("%s: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        complain("%s: %s", path, S_ISREG(status.st_mode) ? "an empty file" : "not a file");
    } else {
        mapped = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (mapped == MAP_FAILED)
            complain("%s: %s", path, strerror(errno));
    }
    if (descriptor >= 0)
        close(descriptor);
    if (mapped == MAP_FAILED)
        return false;
    file->source = (struct airt_source){
        .name = slash != NULL ? slash + 1 : path, .size = (uint64_t)status.st_size, .mapped = mapped};
    return true;
}

void model_file_close(struct model_file *file)
{
    munmap((void *)(uintptr_t)file->source.mapped, (size_t)file->source.size);
}

int close_output(FILE *file, const char *path, int rc)
{
    struct stat status;
    bool regular = file != NULL && fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);

    if (file != NULL && fclose(file) != 0 && rc == 0)
        rc = errno;
    if (rc == 0)
        return 0;
    if (rc > 0)
        complain("%s: %s", path, strerror(rc));
    if (regular)
        (void)unlink(path);
    return EXIT_WRONG;
}

bool parse_number(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *number >= least && *number <= most)
        return true;
    complain("%s %s: a number from %llu to %llu is needed", option, text, (unsigned long long)least,
             (unsigned long long)most);
    return false;
}

void show_progress(const char *what, uint64_t done, uint64_t all)
{
    static unsigned int shown = 101;
    unsigned int percent = all > 0 ? (unsigned int)(done * 100 / all) : 100;

    if (percent == shown || !isatty(STDERR_FILENO))
        return;
    shown = percent;
    fprintf(stderr, "\r%s %u %%%s", what, percent, percent == 100 ? "\n" : "");
}

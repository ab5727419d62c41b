/* SPDX-License-Identifier: MIT */
#include "platform.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "connection.h"

void platform_initialise(int *count, char ***words)
{
    (void)count;
    (void)words;
    /* libedit and terminals need a locale whose characters are UTF-8; numbers stay as C has them */
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

ssize_t platform_read_line(char **text, size_t *size)
{
    return getline(text, size, stdin);
}

ssize_t platform_ask_line(char **text, size_t *size)
{
    size_t length = 0;
    char byte = '\0';
    while (byte != '\n') {
        if (interrupt_wait(STDIN_FILENO) < 0) {
            interrupt_take();
            return -1;
        }
        ssize_t count = read(STDIN_FILENO, &byte, 1); /* no more: what follows is another's */
        if (count <= 0)
            break;
        if (length + 2 > *size) {
            char *larger = realloc(*text, (length + 2) * 2);
            if (!larger)
                return -1;
            *text = larger;
            *size = (length + 2) * 2;
        }
        (*text)[length++] = byte;
        (*text)[length] = '\0';
    }
    return length > 0 ? (ssize_t)length : -1;
}

size_t platform_columns(FILE *file)
{
    struct winsize window;
    return ioctl(fileno(file), TIOCGWINSZ, &window) == 0 ? window.ws_col : 0;
}

char *platform_full_path(const char *path)
{
    return realpath(path, NULL);
}

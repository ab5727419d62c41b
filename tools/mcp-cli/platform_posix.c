/* SPDX-License-Identifier: MIT */
#include "platform.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

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

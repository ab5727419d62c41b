/* SPDX-License-Identifier: MIT */
#include "platform.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

#include <shellapi.h>

#define LINE_SIZE 256 /* of the first allocation */

static UINT console_page;

static void restore_console(void)
{
    SetConsoleOutputCP(console_page);
}

/* NULL without memory. */
static char *utf8(const wchar_t *word)
{
    int size = WideCharToMultiByte(CP_UTF8, 0, word, -1, NULL, 0, NULL, NULL);
    char *text = size > 0 ? malloc((size_t)size) : NULL;
    if (text)
        WideCharToMultiByte(CP_UTF8, 0, word, -1, text, size, NULL, NULL);
    return text;
}

/* main's words come in the code page of the system, with `*` and `?` replaced by names of files; what was
 * typed is in the command line. */
static void read_words(int *count, char ***words)
{
    int wide_count = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &wide_count);
    char **converted = wide ? calloc((size_t)wide_count + 1, sizeof *converted) : NULL;
    for (int i = 0; converted && i < wide_count; i++) {
        converted[i] = utf8(wide[i]);
        if (!converted[i]) {
            fputs("mcp-cli: out of memory\n", stderr);
            exit(EXIT_FAILURE);
        }
    }
    if (converted) {
        *count = wide_count;
        *words = converted;
    }
    LocalFree(wide);
}

void platform_initialise(int *count, char ***words)
{
    /* a console keeps its code page when the program has ended */
    console_page = GetConsoleOutputCP();
    if (console_page != 0 && SetConsoleOutputCP(CP_UTF8))
        atexit(restore_console);
    /* what a tool answers is written byte for byte, without carriage returns */
    _setmode(_fileno(stdout), _O_BINARY);
    _setmode(_fileno(stderr), _O_BINARY);
    read_words(count, words);
}

ssize_t platform_read_line(char **text, size_t *size)
{
    size_t length = 0;
    int byte = EOF;
    do {
        if (length + 2 > *size) {
            size_t larger = *size < LINE_SIZE ? LINE_SIZE : *size * 2;
            char *memory = realloc(*text, larger);
            if (!memory)
                return -1;
            *text = memory;
            *size = larger;
        }
        byte = getchar();
        if (byte != EOF)
            (*text)[length++] = (char)byte;
    } while (byte != EOF && byte != '\n');
    (*text)[length] = '\0';
    return length > 0 ? (ssize_t)length : -1;
}

ssize_t platform_ask_line(char **text, size_t *size)
{
    return platform_read_line(text, size);
}

size_t platform_columns(FILE *file)
{
    CONSOLE_SCREEN_BUFFER_INFO console;
    HANDLE handle = (HANDLE)_get_osfhandle(_fileno(file));
    return GetConsoleScreenBufferInfo(handle, &console) ? (size_t)console.dwSize.X : 0;
}

char *platform_full_path(const char *path)
{
    char *full = _fullpath(NULL, path, 0);
    for (char *each = full; each && *each; each++) {
        if (*each == '\\') /* for a URI */
            *each = '/';
    }
    return full;
}

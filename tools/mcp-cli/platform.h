/* SPDX-License-Identifier: MIT
 *
 * What the program needs of the operating system beside connection.h: platform_posix.c and
 * platform_windows.c.
 */
#ifndef MCP_CLI_PLATFORM_H
#define MCP_CLI_PLATFORM_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* Once, first thing: text is UTF-8 from here on, in both directions. May replace main's words by the same
 * ones in UTF-8, which then live as long as the program. */
void platform_initialise(int *count, char ***words);

/* The next line of standard input, as getline(3) has it: *text (*size bytes, grown with realloc) belongs to
 * the caller. Returns its length, or -1 at the end, after an error and without memory. */
ssize_t platform_read_line(char **text, size_t *size);

/* The same while a server waits for it: Ctrl-C is an end, too, and is taken. */
ssize_t platform_ask_line(char **text, size_t *size);

/* The absolute path of a file or folder that is there, the caller's to free; or NULL. */
char *platform_full_path(const char *path);

/* Columns of the terminal that the file is; 0: unknown. */
size_t platform_columns(FILE *file);

#endif

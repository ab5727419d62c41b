/* SPDX-License-Identifier: MIT
 *
 * The C functions that the libraries and the compiler call (C17, 7.24).
 */
#ifndef STRING_H
#define STRING_H

#include <stddef.h>

void *memchr(const void *memory, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *memory, int byte, size_t size);
char *strchr(const char *text, int character);
int strcmp(const char *left, const char *right);
size_t strlen(const char *text);
int strncmp(const char *left, const char *right, size_t size);
size_t strspn(const char *text, const char *accepted);

#endif

/* SPDX-License-Identifier: MIT
 *
 * Plain loops. -ffreestanding keeps the compiler from making a call of memcpy out of memcpy's own loop.
 */
#include "string.h"

void *memchr(const void *memory, int byte, size_t size)
{
    const unsigned char *bytes = memory;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] == (unsigned char)byte)
            return (void *)(bytes + i);
    return NULL;
}

int memcmp(const void *left, const void *right, size_t size)
{
    const unsigned char *a = left, *b = right;
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return a[i] - b[i];
    return 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *destination = to;
    __asm__ volatile("rep movsb" : "+D"(destination), "+S"(from), "+c"(size) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *destination = to;
    const unsigned char *source = from;
    /* Forwards does no harm unless `to` begins within the source. */
    if ((size_t)(destination - source) >= size)
        return memcpy(to, from, size);
    while (size-- > 0)
        destination[size] = source[size];
    return to;
}

void *memset(void *memory, int byte, size_t size)
{
    void *destination = memory;
    __asm__ volatile("rep stosb" : "+D"(destination), "+c"(size) : "a"(byte) : "memory");
    return memory;
}

char *strchr(const char *text, int character)
{
    for (;; text++) {
        if (*text == (char)character)
            return (char *)text;
        if (*text == '\0')
            return NULL;
    }
}

int strcmp(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right)
        left++, right++;
    return (unsigned char)*left - (unsigned char)*right;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}

int strncmp(const char *left, const char *right, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i] || left[i] == '\0')
            return (unsigned char)left[i] - (unsigned char)right[i];
    return 0;
}

size_t strspn(const char *text, const char *accepted)
{
    size_t length = 0;
    while (text[length] != '\0' && strchr(accepted, text[length]) != NULL)
        length++;
    return length;
}

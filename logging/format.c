/* SPDX-License-Identifier: MIT
 *
 * log_format: printf's subset that needs no libc (ISO C17, 7.21.6.1).
 */
#include "logging/log.h"

#include <string.h>

struct output {
    char *buffer;
    size_t size;   /* of buffer, with room for the NUL */
    size_t length; /* that the whole text would have */
};

struct conversion {
    bool left;        /* flag '-' */
    bool zeros;       /* flag '0' */
    bool alternative; /* flag '#': 0x before x and X */
    size_t width;
    bool has_precision;
    size_t precision;
    enum { LENGTH_INT, LENGTH_CHAR, LENGTH_SHORT, LENGTH_LONG, LENGTH_LONG_LONG, LENGTH_SIZE } length;
};

static size_t room(const struct output *out)
{
    return out->length < out->size - 1 ? out->size - 1 - out->length : 0;
}

static void put_bytes(struct output *out, const char *bytes, size_t length)
{
    size_t fits = room(out);

    if (fits > length)
        fits = length;
    if (fits > 0)
        memcpy(out->buffer + out->length, bytes, fits);
    out->length += length;
}

/* Costs the bytes that fit, whatever `count` says: a width may come from an argument. */
static void put_repeated(struct output *out, char byte, size_t count)
{
    size_t fits = room(out);

    if (fits > count)
        fits = count;
    if (fits > 0)
        memset(out->buffer + out->length, byte, fits);
    out->length += count;
}

static void put_padded(struct output *out, const struct conversion *spec, const char *bytes, size_t length)
{
    size_t padding = spec->width > length ? spec->width - length : 0;

    if (!spec->left)
        put_repeated(out, ' ', padding);
    put_bytes(out, bytes, length);
    if (spec->left)
        put_repeated(out, ' ', padding);
}

/* Prefix ("-", "0x"), then zeros, then digits, within the width. */
static void put_number(struct output *out, const struct conversion *spec, const char *prefix,
                       unsigned long long value, unsigned base, bool upper)
{
    const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char digits[24];
    size_t first = sizeof(digits);
    size_t prefix_length = strlen(prefix);
    size_t length;
    size_t zeros = 0;
    size_t padding = 0;

    while (value != 0) {
        digits[--first] = alphabet[value % base];
        value /= base;
    }
    length = sizeof(digits) - first;
    if (spec->has_precision)
        zeros = spec->precision > length ? spec->precision - length : 0;
    else if (length == 0)
        zeros = 1;

    if (spec->width > prefix_length + zeros + length)
        padding = spec->width - prefix_length - zeros - length;
    if (spec->zeros && !spec->left && !spec->has_precision) {
        zeros += padding;
        padding = 0;
    }
    if (!spec->left)
        put_repeated(out, ' ', padding);
    put_bytes(out, prefix, prefix_length);
    put_repeated(out, '0', zeros);
    put_bytes(out, digits + first, length);
    if (spec->left)
        put_repeated(out, ' ', padding);
}

static void put_string(struct output *out, const struct conversion *spec, const char *string)
{
    size_t length = 0;

    if (string == NULL)
        string = "(null)";
    /* With a precision the string need not be terminated. */
    while ((!spec->has_precision || length < spec->precision) && string[length] != '\0')
        length++;
    put_padded(out, spec, string, length);
}

static size_t parse_decimal(const char **format)
{
    size_t value = 0;

    while (**format >= '0' && **format <= '9') {
        if (value < 100000000)
            value = value * 10 + (size_t)(**format - '0');
        (*format)++;
    }
    return value;
}

static void parse_length(const char **format, struct conversion *spec)
{
    spec->length = LENGTH_INT;
    if (**format == 'h') {
        (*format)++;
        spec->length = LENGTH_SHORT;
        if (**format == 'h') {
            (*format)++;
            spec->length = LENGTH_CHAR;
        }
    } else if (**format == 'l') {
        (*format)++;
        spec->length = LENGTH_LONG;
        if (**format == 'l') {
            (*format)++;
            spec->length = LENGTH_LONG_LONG;
        }
    } else if (**format == 'z') {
        (*format)++;
        spec->length = LENGTH_SIZE;
    }
}

/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): it does not see through a pointer to a va_list. */
static void parse_flags_and_sizes(const char **format, struct conversion *spec, va_list *arguments)
{
    memset(spec, 0, sizeof(*spec));
    for (; **format == '-' || **format == '0' || **format == '#'; (*format)++) {
        if (**format == '-')
            spec->left = true;
        else if (**format == '0')
            spec->zeros = true;
        else
            spec->alternative = true;
    }
    if (**format == '*') {
        long long width = va_arg(*arguments, int);

        (*format)++;
        spec->left = spec->left || width < 0;
        spec->width = (size_t)(width < 0 ? -width : width);
    } else {
        spec->width = parse_decimal(format);
    }
    if (**format == '.') {
        (*format)++;
        spec->has_precision = true;
        if (**format == '*') {
            int precision = va_arg(*arguments, int);

            (*format)++;
            spec->has_precision = precision >= 0; /* a negative one counts as absent */
            spec->precision = precision >= 0 ? (size_t)precision : 0;
        } else {
            spec->precision = parse_decimal(format);
        }
    }
    parse_length(format, spec);
}

static long long signed_argument(const struct conversion *spec, va_list *arguments)
{
    switch (spec->length) {
    case LENGTH_CHAR:
        return (signed char)va_arg(*arguments, int);
    case LENGTH_SHORT:
        return (short)va_arg(*arguments, int);
    case LENGTH_LONG:
        return va_arg(*arguments, long);
    case LENGTH_LONG_LONG:
        return va_arg(*arguments, long long);
    case LENGTH_SIZE:
        return va_arg(*arguments, ptrdiff_t);
    case LENGTH_INT:
        break;
    }
    return va_arg(*arguments, int);
}

static unsigned long long unsigned_argument(const struct conversion *spec, va_list *arguments)
{
    switch (spec->length) {
    case LENGTH_CHAR:
        return (unsigned char)va_arg(*arguments, unsigned int);
    case LENGTH_SHORT:
        return (unsigned short)va_arg(*arguments, unsigned int);
    case LENGTH_LONG:
        return va_arg(*arguments, unsigned long);
    case LENGTH_LONG_LONG:
        return va_arg(*arguments, unsigned long long);
    case LENGTH_SIZE:
        return va_arg(*arguments, size_t);
    case LENGTH_INT:
        break;
    }
    return va_arg(*arguments, unsigned int);
}

/* Puts one conversion. Returns false when it is none that we know: nothing can be said about its argument
 * then, nor about those after it. */
static bool put_conversion(struct output *out, char type, struct conversion *spec, va_list *arguments)
{
    switch (type) {
    case 'd':
    case 'i': {
        long long value = signed_argument(spec, arguments);
        unsigned long long magnitude = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;

        put_number(out, spec, value < 0 ? "-" : "", magnitude, 10, false);
        return true;
    }
    case 'u':
        put_number(out, spec, "", unsigned_argument(spec, arguments), 10, false);
        return true;
    case 'x':
    case 'X': {
        unsigned long long value = unsigned_argument(spec, arguments);
        const char *prefix = type == 'X' ? "0X" : "0x";

        put_number(out, spec, spec->alternative && value != 0 ? prefix : "", value, 16, type == 'X');
        return true;
    }
    case 'p':
        put_number(out, spec, "0x", (uintptr_t)va_arg(*arguments, void *), 16, false);
        return true;
    case 'c': {
        char character = (char)va_arg(*arguments, int);

        put_padded(out, spec, &character, 1);
        return true;
    }
    case 's':
        put_string(out, spec, va_arg(*arguments, const char *));
        return true;
    case '%':
        put_bytes(out, "%", 1);
        return true;
    default:
        return false;
    }
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

size_t log_format_v(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct output out = {.buffer = buffer, .size = size, .length = 0};
    va_list shared;

    va_copy(shared, arguments);
    while (*format != '\0') {
        struct conversion spec;
        const char *start = format;
        size_t literal = 0;

        while (format[literal] != '\0' && format[literal] != '%')
            literal++;
        put_bytes(&out, format, literal);
        format += literal;
        if (*format == '\0')
            break;

        start = format++;
        parse_flags_and_sizes(&format, &spec, &shared);
        if (!put_conversion(&out, *format, &spec, &shared)) {
            put_bytes(&out, start, strlen(start));
            break;
        }
        format++;
    }
    va_end(shared);
    out.buffer[out.length < size ? out.length : size - 1] = '\0';
    return out.length;
}

size_t log_format(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    size_t length;

    va_start(arguments, format);
    length = log_format_v(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

/* SPDX-License-Identifier: MIT
 *
 * From how a file writes its tokens to the bytes that they stand for in a text.
 */
#include "private.h"

#include <errno.h>
#include <string.h>

#include "message.h"
#include "utf8.h"

/* Byte-level BPE writes each byte as one character: printable ones of Latin-1 as themselves, the others (0 to
 * 32, 127 to 160, 173) as U+0100 and following. Returns the byte, or -1. */
static int byte_of(uint32_t character)
{
    if ((character > 32 && character < 127) || (character > 160 && character < 256 && character != 173))
        return (int)character;
    if (character >= 0x100 && character <= 0x120)
        return (int)character - 0x100;
    if (character >= 0x121 && character <= 0x142)
        return (int)character - 0x121 + 127;
    return character == 0x143 ? 173 : -1;
}

size_t bpe_decode(struct airt_text text, char *out)
{
    size_t length = 0;

    for (size_t at = 0; at < text.length;) {
        uint32_t character = 0;
        size_t bytes = utf8_decode(text.bytes + at, text.length - at, &character);
        int byte = bytes > 0 ? byte_of(character) : -1;

        if (byte < 0) {
            memcpy(out, text.bytes, text.length);
            return text.length;
        }
        out[length++] = (char)byte;
        at += bytes;
    }
    return length;
}

size_t spm_decode(struct airt_text text, char *out)
{
    size_t length = 0;

    for (size_t at = 0; at < text.length; length++) {
        bool space = text.length - at >= 3 && memcmp(text.bytes + at, "\xe2\x96\x81", 3) == 0;

        out[length] = space ? ' ' : text.bytes[at];
        at += space ? 3 : 1;
    }
    return length;
}

static int hexadecimal(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* "<0x0A>", or -1. */
static int byte_token(struct airt_text text)
{
    if (text.length != 6 || memcmp(text.bytes, "<0x", 3) != 0 || text.bytes[5] != '>' ||
        hexadecimal(text.bytes[3]) < 0 || hexadecimal(text.bytes[4]) < 0)
        return -1;
    return hexadecimal(text.bytes[3]) * 16 + hexadecimal(text.bytes[4]);
}

static int fail(struct airt_error *error, const char *name, uint32_t id, const char *what)
{
    message_start(error, name);
    message_text(error, "token ");
    message_number(error, id);
    message_text(error, what);
    return -EINVAL;
}

static int decode(struct tokenizer *tokenizer, const char *name, uint32_t id, struct airt_error *error)
{
    const struct vocabulary *vocabulary = tokenizer->vocabulary;
    struct airt_text text = vocabulary->tokens[id];
    char *out = tokenizer->bytes + tokenizer->starts[id];
    size_t length = text.length;

    if (tokenizer_is_word(vocabulary, id)) {
        bool spm = vocabulary->kind == VOCABULARY_SPM;

        length = spm ? spm_decode(text, out) : bpe_decode(text, out);
        if (spm && length > SPM_MAX)
            return fail(error, name, id, ": longer than 1024 bytes");
        if (!spm && length == 1 && tokenizer->byte_ids[(unsigned char)out[0]] == VOCABULARY_NONE)
            tokenizer->byte_ids[(unsigned char)out[0]] = id;
    } else if (vocabulary->kinds[id] == TOKEN_BYTE) {
        int byte = byte_token(text);

        if (byte < 0)
            return fail(error, name, id, ": a byte that is not written as <0x00> to <0xFF>");
        out[0] = (char)byte;
        length = 1;
        if (tokenizer->byte_ids[byte] == VOCABULARY_NONE)
            tokenizer->byte_ids[byte] = id;
    } else {
        if (length > SPECIAL_MAX)
            return fail(error, name, id, ": a special token of more than 256 bytes");
        if (length > 0)
            memcpy(out, text.bytes, length);
    }
    tokenizer->starts[id + 1] = tokenizer->starts[id] + (uint32_t)length;
    return 0;
}

int tokenizer_decode_all(struct tokenizer *tokenizer, struct work *work, const char *name,
                         struct airt_error *error)
{
    const struct vocabulary *vocabulary = tokenizer->vocabulary;
    const struct airt_hooks *hooks = work->hooks;
    uint64_t total = 1; /* never nothing */

    for (uint32_t id = 0; id < vocabulary->count; id++)
        total += vocabulary->tokens[id].length;
    if (vocabulary->count == 0 || total > UINT32_MAX)
        return message_fail(error, name, -EINVAL, "a vocabulary of no tokens, or of 4 GiB");
    tokenizer->bytes = hooks->alloc(hooks->context, (size_t)total);
    if (tokenizer->bytes == NULL)
        return -ENOMEM;
    tokenizer->byte_count = (uint32_t)total;
    tokenizer->starts =
        hooks->alloc(hooks->context, ((size_t)vocabulary->count + 1) * sizeof(*tokenizer->starts));
    if (tokenizer->starts == NULL)
        return -ENOMEM;
    tokenizer->starts[0] = 0;
    memset(tokenizer->byte_ids, 0xff, sizeof(tokenizer->byte_ids)); /* VOCABULARY_NONE */
    for (uint32_t id = 0; id < vocabulary->count; id++) {
        int rc = decode(tokenizer, name, id, error);

        if (rc == 0)
            rc = work_spend(work, vocabulary->tokens[id].length + sizeof(*tokenizer->starts));
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * The expressions, alternatives in order, where the first that matches wins:
 *
 * gpt-2      's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * smollm     each \p{N} alone; gpt-2 for each stretch between them
 * llama-bpe  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
 *            \s*[\r\n]+|\s+(?!\S)|\s+
 * qwen2      llama-bpe with \p{N} instead of \p{N}{1,3}
 * gpt-4o     [^\r\n\p{L}\p{N}]?U*L+C?|[^\r\n\p{L}\p{N}]?U+L*C?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|
 *            \s*[\r\n]+|\s+(?!\S)|\s+
 *            where U is [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], L is [\p{Ll}\p{Lm}\p{Lo}\p{M}] and C is llama-bpe's
 *            first alternative
 */
#include "splitter.h"

#include "tokenizer/unicode.h"
#include "utf8.h"

/* Sets of classes. */
#define SET(class) (1u << (class))
#define LETTERS    (SET(UNICODE_UPPER) | SET(UNICODE_LOWER) | SET(UNICODE_LETTER))
#define NUMBERS    SET(UNICODE_NUMBER)
#define SPACES     SET(UNICODE_SPACE)
#define SIGNS      (SET(UNICODE_OTHER) | SET(UNICODE_MARK)) /* [^\s\p{L}\p{N}] */
#define UPPER      (SET(UNICODE_UPPER) | SET(UNICODE_LETTER) | SET(UNICODE_MARK))
#define LOWER      (SET(UNICODE_LOWER) | SET(UNICODE_LETTER) | SET(UNICODE_MARK))

/* A stretch of text, and characters of it by place. */
struct stretch {
    const char *text;
    size_t length;
};

struct character {
    uint32_t value;
    unsigned set;  /* of the one class; 0 behind the end */
    size_t length; /* bytes; 0 behind the end */
};

static struct character character_at(const struct stretch *stretch, size_t at)
{
    struct character character = {0};

    if (at >= stretch->length)
        return character;
    character.length = utf8_decode(stretch->text + at, stretch->length - at, &character.value);
    if (character.length == 0) {
        character.value = 0xfffd;
        character.length = 1;
    }
    character.set = SET(unicode_class(character.value));
    return character;
}

static char byte_at(const struct stretch *stretch, size_t at)
{
    return at < stretch->length ? stretch->text[at] : '\0';
}

static bool is_line_end(char byte)
{
    return byte == '\r' || byte == '\n';
}

/* The end of the characters of a set from `at` on, at most `count`. */
static size_t skip(const struct stretch *stretch, size_t at, unsigned set, size_t count)
{
    for (struct character next; count > 0; at += next.length, count--) {
        next = character_at(stretch, at);
        if ((next.set & set) == 0)
            break;
    }
    return at;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* The end of 's, 't, 're, 've, 'm, 'll or 'd at `at`; `at` when there is none. Without regard to case, the
 * long s (U+017F) is an s. */
static size_t skip_contraction(const struct stretch *stretch, size_t at, bool any_case)
{
    char first = byte_at(stretch, at + 1);
    char second = byte_at(stretch, at + 2);

    if (byte_at(stretch, at) != '\'')
        return at;
    if (any_case && first == '\xc5' && second == '\xbf')
        return at + 3;
    if (any_case) {
        first = lower(first);
        second = lower(second);
    }
    if (first == 's' || first == 't' || first == 'm' || first == 'd')
        return at + 2;
    if (((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l'))
        return at + 3;
    return at;
}

/* \s+(?!\S)|\s+ : white space but for its last character, which belongs to the word behind it; or all at the
 * end, or if it is only one. With `lines` \s*[\r\n]+ goes before: up to the last line end in it. */
static size_t skip_space(const struct stretch *stretch, bool lines)
{
    struct character next;
    size_t end = 0;
    size_t last = 0;
    size_t line = 0;

    for (; (next = character_at(stretch, end)).set == SPACES; end += next.length) {
        last = end;
        if (is_line_end(stretch->text[end]))
            line = end + 1;
    }
    if (lines && line > 0)
        return line;
    return end < stretch->length && last > 0 ? last : end;
}

/* An optional space and what is of the set; 0 when nothing is. */
static size_t spaced(const struct stretch *stretch, unsigned set)
{
    size_t start = byte_at(stretch, 0) == ' ' ? 1 : 0;
    size_t end = skip(stretch, start, set, SIZE_MAX);

    return end > start ? end : 0;
}

static size_t next_gpt2(const struct stretch *stretch)
{
    size_t end = skip_contraction(stretch, 0, false);

    if (end == 0)
        end = spaced(stretch, LETTERS);
    if (end == 0)
        end = spaced(stretch, NUMBERS);
    if (end == 0)
        end = spaced(stretch, SIGNS);
    return end > 0 ? end : skip_space(stretch, false);
}

/* [^\r\n\p{L}\p{N}]? : what may stand before a word's letters. */
static size_t skip_prefix(const struct stretch *stretch)
{
    struct character first = character_at(stretch, 0);

    return (first.set & (SIGNS | SPACES)) != 0 && !is_line_end(stretch->text[0]) ? first.length : 0;
}

/* ` ?[^\s\p{L}\p{N}]+[\r\n]*`, and what comes behind it in all the later ones; with a slash for gpt-4o. */
static size_t next_signs_or_space(const struct stretch *stretch, bool slash)
{
    size_t end = spaced(stretch, SIGNS);

    if (end == 0)
        return skip_space(stretch, true);
    while (is_line_end(byte_at(stretch, end)) || (slash && byte_at(stretch, end) == '/'))
        end++;
    return end;
}

static size_t next_llama(const struct stretch *stretch, size_t digits)
{
    size_t end = skip_contraction(stretch, 0, true);
    size_t prefix;

    if (end > 0)
        return end;
    prefix = skip_prefix(stretch);
    end = skip(stretch, prefix, LETTERS, SIZE_MAX);
    if (end > prefix)
        return end;
    end = skip(stretch, 0, NUMBERS, digits);
    return end > 0 ? end : next_signs_or_space(stretch, false);
}

/* U*L+ from `start` on; `start` when it does not match. */
static size_t skip_small(const struct stretch *stretch, size_t start)
{
    struct character next;
    size_t end = start;
    size_t both = start; /* behind the last character of U* that is in L as well */

    for (; ((next = character_at(stretch, end)).set & UPPER) != 0; end += next.length)
        if ((next.set & LOWER) != 0)
            both = end + next.length;
    /* If nothing of L follows, U* gives back what it took, down to something that is. */
    return (next.set & LOWER) != 0 ? skip(stretch, end, LOWER, SIZE_MAX) : both;
}

static size_t next_gpt4o(const struct stretch *stretch)
{
    size_t prefix = skip_prefix(stretch);
    size_t end = skip_small(stretch, prefix);

    if (end == prefix && prefix > 0)
        end = skip_small(stretch, 0); /* a mark, which may be a prefix, is also in L */
    else if (end == prefix)
        end = 0;
    if (end == 0) {
        /* U+L*, and no L* where U*L+ does not match */
        size_t capitals = skip(stretch, prefix, UPPER, SIZE_MAX);

        end = capitals > prefix ? capitals : 0;
    }
    if (end > 0)
        return skip_contraction(stretch, end, true);
    end = skip(stretch, 0, NUMBERS, 3);
    return end > 0 ? end : next_signs_or_space(stretch, true);
}

/* smollm: one number, or gpt-2 up to the next one. */
static size_t next_smollm(struct splitter *splitter)
{
    struct stretch rest = {splitter->text + splitter->at, splitter->length - splitter->at};

    if (splitter->at == splitter->stop) {
        size_t number = skip(&rest, 0, NUMBERS, 1);

        if (number > 0) {
            splitter->stop = splitter->at + number;
            return number;
        }
        splitter->stop = splitter->at + skip(&rest, 0, ~NUMBERS, SIZE_MAX);
    }
    rest.length = splitter->stop - splitter->at;
    return next_gpt2(&rest);
}

void splitter_start(struct splitter *splitter, enum pretokenizer pretokenizer, const char *text,
                    size_t length)
{
    *splitter = (struct splitter){.pretokenizer = pretokenizer, .text = text, .length = length};
}

size_t splitter_next(struct splitter *splitter)
{
    struct stretch rest = {splitter->text + splitter->at, splitter->length - splitter->at};
    size_t word = 0;

    if (rest.length == 0)
        return 0;
    switch (splitter->pretokenizer) {
    case PRETOKENIZER_GPT2:
        word = next_gpt2(&rest);
        break;
    case PRETOKENIZER_LLAMA_BPE:
        word = next_llama(&rest, 3);
        break;
    case PRETOKENIZER_QWEN2:
        word = next_llama(&rest, 1);
        break;
    case PRETOKENIZER_SMOLLM:
        word = next_smollm(splitter);
        break;
    case PRETOKENIZER_GPT4O:
        word = next_gpt4o(&rest);
        break;
    }
    splitter->at += word;
    return word;
}

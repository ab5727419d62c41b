/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <string.h>

#include "../utf8.h"

#define WORD_MAX 32 /* longer words, and those beyond ASCII, keep their endings */

static bool in(uint32_t character, uint32_t first, uint32_t last)
{
    return character >= first && character <= last;
}

/* An ASCII letter or digit, which most characters are, as normalised text has it; 0 for others. */
static uint32_t plain_letter(uint32_t character)
{
    if (in(character | 0x20, 'a', 'z'))
        return character | 0x20;
    return in(character, '0', '9') ? character : 0;
}

/* Punctuation, symbols and spaces; every other character belongs to a word. */
static bool is_separator(uint32_t character)
{
    if (character < 0x80)
        return plain_letter(character) == 0;
    if (character < 0xc0)
        return character != 0xaa && character != 0xb5 && character != 0xba;
    return character == 0xd7 || character == 0xf7 || character == 0xfeff || in(character, 0x2000, 0x206f) ||
           in(character, 0x2190, 0x23ff) || in(character, 0x2500, 0x25ff) || in(character, 0x3000, 0x303f) ||
           in(character, 0xff00, 0xff0f) || in(character, 0xff1a, 0xff20);
}

/* Lower case beyond ASCII, where upper and lower lie in regular blocks: enough for Europe's languages. */
static uint32_t fold(uint32_t character)
{
    if (in(character, 0xc0, 0xde))
        return character + 0x20; /* 0xd7 is a separator */
    if (in(character, 0x100, 0x137) && character != 0x130 && character != 0x131)
        return character | 1;
    if (in(character, 0x139, 0x148) || in(character, 0x179, 0x17e))
        return character + (character & 1);
    if (in(character, 0x14a, 0x177))
        return character | 1;
    if (character == 0x178)
        return 0xff;
    if (in(character, 0x388, 0x38a))
        return character + 37;
    if (in(character, 0x391, 0x3ab))
        return character + 0x20;
    if (in(character, 0x410, 0x42f))
        return character + 0x20;
    if (in(character, 0x400, 0x40f))
        return character + 0x50;
    switch (character) {
    case 0x386:
        return 0x3ac;
    case 0x38c:
        return 0x3cc;
    case 0x38e:
        return 0x3cd;
    case 0x38f:
        return 0x3ce;
    case 0x3c2: /* final sigma */
        return 0x3c3;
    default:
        return character;
    }
}

/* Kana and Han: words are not set apart by spaces. */
static bool is_unspaced(uint32_t character)
{
    return in(character, 0x3040, 0x30ff) || in(character, 0x3400, 0x9fff) || in(character, 0x20000, 0x3ffff);
}

void words_start(struct words *words, const char *text, size_t length)
{
    memset(words, 0, sizeof(*words));
    words->text = text;
    words->length = length;
}

/* The character at `at`, 0 behind the end. A broken byte counts as a separator. */
static uint32_t character_at(const struct words *words, size_t at, size_t *length)
{
    uint32_t character = 0;

    *length = 0;
    if (at >= words->length)
        return 0;
    *length = utf8_decode(words->text + at, words->length - at, &character);
    if (*length == 0) {
        *length = 1;
        return ' ';
    }
    return character;
}

static bool is_word_at(const struct words *words, size_t at)
{
    size_t length;
    uint32_t character = character_at(words, at, &length);

    return length != 0 && !is_separator(character);
}

/* Behind an apostrophe in a word: steps over a possessive s. Returns whether the word goes on. */
static bool word_goes_on(struct words *words)
{
    bool is_s = words->at < words->length && (words->text[words->at] | 0x20) == 's';

    if (is_s && !is_word_at(words, words->at + 1)) {
        words->at++;
        return false;
    }
    return is_word_at(words, words->at);
}

uint32_t words_next(struct words *words)
{
    uint32_t character;

    if (words->held != 0) {
        character = words->held;
        words->held = 0;
        return character;
    }
    while (words->at < words->length) {
        size_t length = 1;
        uint32_t letter;

        character = (unsigned char)words->text[words->at];
        letter = plain_letter(character);
        if (character >= 0x80) {
            character = character_at(words, words->at, &length);
            letter = is_separator(character) ? 0 : fold(character);
        }
        words->at += length;
        if (letter == 0) {
            bool apostrophe = character == '\'' || character == 0x2019;

            if (words->in_word && !(apostrophe && word_goes_on(words)))
                words->in_word = false;
            continue;
        }
        if (words->in_word || !words->any) {
            words->in_word = words->any = true;
            return letter;
        }
        words->in_word = true;
        words->held = letter;
        return ' ';
    }
    return WORDS_END;
}

/* What words_next would return behind a letter, where it is an ASCII letter or digit; else 0, and nothing is
 * taken. */
static uint32_t next_plain(struct words *words)
{
    uint32_t letter = words->at < words->length ? plain_letter((unsigned char)words->text[words->at]) : 0;

    words->at += letter != 0;
    return letter;
}

/* --- hashes --- */

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* FNV-1a over characters. */
static uint64_t hash_add(uint64_t hash, uint32_t character)
{
    return (hash ^ character) * UINT64_C(0x100000001b3);
}

/* FNV's high bits are weak for short texts; the finish of MurmurHash3 spreads them. */
static uint32_t hash_finish(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    hash ^= hash >> 33;
    return (uint32_t)(hash >> 32);
}

uint32_t words_hash(const char *text, size_t length)
{
    struct words words;
    uint64_t hash = HASH_START;
    uint32_t character;

    words_start(&words, text, length);
    while ((character = words_next(&words)) != WORDS_END) {
        hash = hash_add(hash, character);
        while (character != ' ' && (character = next_plain(&words)) != 0)
            hash = hash_add(hash, character);
    }
    return hash_finish(hash);
}

bool words_equal(const char *a, size_t a_length, const char *b, size_t b_length)
{
    struct words first;
    struct words second;
    uint32_t character;

    words_start(&first, a, a_length);
    words_start(&second, b, b_length);
    do {
        character = words_next(&first);
        if (character != words_next(&second))
            return false;
    } while (character != WORDS_END);
    return true;
}

bool words_empty(const char *text, size_t length)
{
    struct words words;

    words_start(&words, text, length);
    return words_next(&words) == WORDS_END;
}

/* --- tokens --- */

/* A word of the lists, NUL bytes behind it: eight bytes that compare as one number. */
typedef char listed_word[8];

/* Both sorted. */
static const listed_word silent_words[] = {"a",  "an",   "and", "are",  "as", "at",  "be",   "by",  "did",
                                           "do", "does", "for", "in",   "is", "it",  "its",  "of",  "on",
                                           "or", "that", "the", "this", "to", "was", "were", "with"};
static const listed_word weak_words[] = {
    "about",  "am",   "any",   "can",  "could", "explain", "from",  "get",  "give",  "has",
    "have",   "how",  "i",     "if",   "me",    "mean",    "means", "my",   "our",   "please",
    "should", "tell", "there", "they", "we",    "what",    "whats", "when", "where", "which",
    "who",    "why",  "will",  "work", "works", "would",   "you",   "your"};

/* In the order of the alphabet, on a little-endian machine. */
static uint64_t word_number(const char word[sizeof(listed_word)])
{
    uint64_t number;

    memcpy(&number, word, sizeof(number));
    return __builtin_bswap64(number);
}

static bool listed(const listed_word *list, size_t count, uint64_t wanted)
{
    size_t low = 0;

    while (low < count) {
        size_t middle = low + (count - low) / 2;
        uint64_t number = word_number(list[middle]);

        if (number == wanted)
            return true;
        if (number < wanted)
            low = middle + 1;
        else
            count = middle;
    }
    return false;
}
#define LISTED(list, number) listed(list, sizeof(list) / sizeof((list)[0]), number)

static bool ends_in(const char *word, size_t length, const char *ending)
{
    size_t ending_length = strlen(ending);

    return length > ending_length && memcmp(word + length - ending_length, ending, ending_length) == 0;
}

/* `letter` is never NUL. */
static bool one_of(const char *letters, char letter)
{
    return strchr(letters, letter) != NULL;
}

static bool has_vowel(const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (one_of("aeiouy", word[i]))
            return true;
    return false;
}

/* Takes -ing or -ed off, and the doubling of a consonant before it: "stopped" is "stop". */
static size_t strip_verb(const char *word, size_t length, size_t ending)
{
    size_t left = length - ending;

    if (left < 2 || !has_vowel(word, left))
        return length;
    if (left > 3 && word[left - 1] == word[left - 2] && !one_of("aeiouylsz", word[left - 1]))
        left--;
    return left;
}

/* Takes common English endings off. Both sides of a comparison lose them, so it need not be right, only
 * bring the forms of a word together. Returns the length that is left. */
static size_t strip_ending(char *word, size_t length)
{
    if (length < 3)
        return length;
    if (length > 4 && ends_in(word, length, "ies")) {
        word[length - 3] = 'y';
        return length - 2;
    }
    if (ends_in(word, length, "sses") || ends_in(word, length, "xes") || ends_in(word, length, "ches"))
        length -= 2;
    else if (word[length - 1] == 's' && !one_of("sui", word[length - 2]))
        length--;
    if (ends_in(word, length, "ing"))
        length = strip_verb(word, length, 3);
    else if (ends_in(word, length, "ed"))
        length = strip_verb(word, length, 2);
    if (length > 2 && word[length - 1] == 'e')
        length--;
    return length;
}

static uint64_t hash_plain(const char *word, size_t length)
{
    uint64_t hash = HASH_START;

    for (size_t i = 0; i < length; i++)
        hash = hash_add(hash, (unsigned char)word[i]);
    return hash;
}

bool words_token(struct words *words, uint32_t *token)
{
    for (;;) {
        char word[WORD_MAX] = {0};
        size_t length = 0;
        uint64_t hash = HASH_START;
        uint32_t character = words_next(words);
        uint32_t weak = 0;
        bool plain = true;

        if (character == ' ')
            continue;
        if (character == WORDS_END)
            return false;
        while (character != ' ' && character != WORDS_END) {
            if (plain && character < 0x80 && length < WORD_MAX) {
                word[length++] = (char)character;
                while (length < WORD_MAX && (character = next_plain(words)) != 0)
                    word[length++] = (char)character;
            } else {
                hash = hash_add(plain ? hash_plain(word, length) : hash, character);
                plain = false;
            }
            if (is_unspaced(character))
                break;
            character = words_next(words);
            if (is_unspaced(character)) {
                words->held = character;
                break;
            }
        }
        if (plain) {
            uint64_t number = word_number(word);

            if (length < sizeof(listed_word) && LISTED(silent_words, number))
                continue;
            weak = length < sizeof(listed_word) && LISTED(weak_words, number) ? TOKEN_WEAK : 0;
            hash = hash_plain(word, strip_ending(word, length));
        }
        *token = (hash_finish(hash) & ~TOKEN_WEAK) | weak;
        return true;
    }
}

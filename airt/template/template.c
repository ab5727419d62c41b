/* SPDX-License-Identifier: MIT
 *
 * Which family a Jinja template belongs to, by what it says.
 */
#include "template/template.h"

#include <string.h>

#include "template/search.h"
#include "tokenizer/private.h"

const char *template_name(enum template_family family)
{
    static const char *const names[] = {"none",  "chatml", "llama2",  "llama3",
                                        "gemma", "phi3",   "mistral", "zephyr"};

    return (size_t)family < sizeof(names) / sizeof(names[0]) ? names[family] : "none";
}

size_t template_search(struct airt_text text, size_t start, const char *wanted)
{
    size_t length = strlen(wanted);

    for (size_t at = start; at < text.length && text.length - at >= length; at++) {
        const char *first = memchr(text.bytes + at, wanted[0], text.length - at - length + 1);

        if (first == NULL)
            break;
        at = (size_t)(first - text.bytes);
        if (memcmp(first, wanted, length) == 0)
            return at;
    }
    return text.length;
}

static bool says(struct airt_text text, const char *wanted)
{
    return template_search(text, 0, wanted) < text.length;
}

/* What a family's template says and does not say, and the special tokens that it needs. The first that fits.
 */
static const struct {
    enum template_family family;
    const char *says[2];
    const char *not_says;
    const char *tokens[3];
} marks[] = {
    {TEMPLATE_CHATML, {"<|im_start|>"}, "<|im_sep|>", {"<|im_start|>", "<|im_end|>"}},
    {TEMPLATE_LLAMA3,
     {"<|start_header_id|>"},
     NULL,
     {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}},
    {TEMPLATE_GEMMA, {"<start_of_turn>"}, NULL, {"<start_of_turn>", "<end_of_turn>"}},
    {TEMPLATE_PHI3, {"<|end|>"}, "<|start|>", {"<|user|>", "<|assistant|>", "<|end|>"}},
    {TEMPLATE_LLAMA2, {"[INST]", "<<SYS>>"}, NULL, {NULL}},
    {TEMPLATE_MISTRAL, {"[INST]"}, "[SYSTEM_PROMPT]", {NULL}},
    {TEMPLATE_ZEPHYR, {"<|user|>", "<|assistant|>"}, "<|end|>", {NULL}},
};

/* The families whose turns end with the model's own end of text. */
static bool needs_eos(enum template_family family)
{
    return family == TEMPLATE_LLAMA2 || family == TEMPLATE_MISTRAL || family == TEMPLATE_ZEPHYR;
}

static bool has_tokens(const struct tokenizer *tokenizer, const char *const *tokens)
{
    for (size_t i = 0; i < 3 && tokens[i] != NULL; i++) {
        uint32_t id = tokenizer_find(tokenizer, tokens[i], strlen(tokens[i]));

        if (id == VOCABULARY_NONE || tokenizer_is_word(tokenizer->vocabulary, id))
            return false;
    }
    return true;
}

enum template_family template_recognise(const struct vocabulary *vocabulary,
                                        const struct tokenizer *tokenizer)
{
    struct airt_text text = vocabulary->chat_template;

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (says(text, marks[i].says[0]) && (marks[i].says[1] == NULL || says(text, marks[i].says[1])) &&
            (marks[i].not_says == NULL || !says(text, marks[i].not_says)) &&
            has_tokens(tokenizer, marks[i].tokens) &&
            (!needs_eos(marks[i].family) || vocabulary->eos != VOCABULARY_NONE))
            return marks[i].family;
    return TEMPLATE_NONE;
}
